"""The functions of `cta_data` for Python: volumes in, volumes and tables out, no study needed."""
