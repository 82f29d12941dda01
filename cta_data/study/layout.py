"""Where everything of a study lies: every path of a study is made here."""

from __future__ import annotations

MODELS = "models"
PREDICTIONS = "evaluation/predictions"
REFERENCES = "evaluation/references"
