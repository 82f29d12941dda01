"""Contours of a structure set to masks on the grid of an image."""
