"""Grids, transforms and resampling."""
