"""Digests of voxels and slices: equal for equal content, whatever the file."""
