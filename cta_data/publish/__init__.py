"""What leaves a study: lesions as DICOM objects for planning systems and archives."""
