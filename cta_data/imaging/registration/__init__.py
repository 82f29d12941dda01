"""Registration of two images of one head, and what is accepted of it."""
