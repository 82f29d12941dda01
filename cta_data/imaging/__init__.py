"""Images and contours in memory: registration, brain extraction, transfer, measurement."""
