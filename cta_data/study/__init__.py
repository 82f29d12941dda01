"""A study: configuration, cards, sourcedata, tables and places."""
