"""UMMC (Brain-TR-GammaKnife): courses of treatment as DICOM or NRRD, and their workbook."""
