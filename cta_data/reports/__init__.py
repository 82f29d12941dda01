"""Tables, figures and pages of a study, beside what the paper printed."""
