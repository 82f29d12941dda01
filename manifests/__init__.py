"""Table schemas and published figures, as data."""
