"""The demonstration and the paper's experiment, as programs."""
