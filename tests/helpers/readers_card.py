"""The card of a cohort of NIfTI files: masks of several readers, on two techniques."""

CARD = """
[cohort]
name = "own"
title = "Files of several readers"
licence = "none"
access = "public"
how_to_get = "It is on this disk."

[geometry]
coregistered = true
shows_head = false
skull_stripped = true

[[files]]
path = '(?:^|/)(?P<subject>p\\d+)/(?P<session>\\d+)/t1\\.nii\\.gz$'
role = "image"
technique = "MPRAGE"
phase = "late"

[[files]]
path = '(?:^|/)(?P<subject>p\\d+)/(?P<session>\\d+)/space\\.nii\\.gz$'
role = "image"
technique = "SPACE"
phase = "late"

[[files]]
path = '(?:^|/)(?P<subject>p\\d+)/(?P<session>\\d+)/naq\\.nii\\.gz$'
role = "mask"
reader = "R1"

[[files]]
path = '(?:^|/)(?P<subject>p\\d+)/(?P<session>\\d+)/haq_(?P<reader>R\\d)\\.nii\\.gz$'
role = "mask"
drawn_on = "SPACE"

[masks]
lesion_values = [1]

[groups.NAQ]
drawn_on = "MPRAGE"

[groups.HAQ]
drawn_on = "SPACE"
"""
