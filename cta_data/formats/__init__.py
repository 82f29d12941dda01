"""File formats: bytes in, images or contours out."""
