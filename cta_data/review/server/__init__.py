"""The local page of a review: server, who may speak to it, pictures on demand."""
