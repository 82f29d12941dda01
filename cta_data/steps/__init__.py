"""Steps: each one file with a pure plan and a run for one unit."""
