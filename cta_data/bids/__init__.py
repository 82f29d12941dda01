"""Brain Imaging Data Structure: names, sidecars, and the files of a dataset."""
