"""Clinical tables: sheets, whose their rows are, one vocabulary, and what they tell of a person."""
