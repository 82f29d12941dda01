"""What commands print: progress, tables, counts."""
