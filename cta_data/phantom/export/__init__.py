"""The hospital: identities, DICOM objects as its systems export them, and the truth beside."""
