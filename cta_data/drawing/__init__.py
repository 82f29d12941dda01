"""Pictures of images in memory: planes, crops with outlines, PNG."""
