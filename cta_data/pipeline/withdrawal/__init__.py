"""Withdrawn consent: what is removed, what cannot be removed from here, and the proof."""
