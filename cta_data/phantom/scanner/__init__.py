"""The scanner: signals of tissues, sampled on a grid and made imperfect."""
