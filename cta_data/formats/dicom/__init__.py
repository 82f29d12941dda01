"""DICOM: series, headers, structure sets, segmentations, registrations, doses."""
