"""What probabilities of lesion are worth: candidates, FROC, operating points, calibration."""
