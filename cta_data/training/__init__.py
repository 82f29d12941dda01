"""Models: training sets learnt, test sets predicted, and what is known of each model."""
