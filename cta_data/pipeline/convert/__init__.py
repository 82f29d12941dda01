"""Convert: the raw files of a session to BIDS images, annotations and rows."""
