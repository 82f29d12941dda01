"""NIfTI: images in and out, and where their voxels lie."""
