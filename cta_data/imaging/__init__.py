"""Images and contours in memory: registration, skull stripping, transfer, measurement."""
