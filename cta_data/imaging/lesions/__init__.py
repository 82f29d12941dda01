"""Lesions from drawing to another grid: read out of masks, transferred, measured, checked."""
