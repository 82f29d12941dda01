"""Cohort cards, as data."""
