"""External cohorts as they are distributed, with the traps of the real ones."""
