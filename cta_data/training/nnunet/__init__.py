"""The layer over nnU-Net v2: what it leaves out, around what it does.

nnU-Net plans, learns and predicts. Added here: data by reference, checks before an hour is spent,
work keyed by content, resuming after any interruption, safe loading, and an account of every model.
Modules that import nnU-Net or torch run in processes of their own (`process.run_job`), since
nnU-Net reads its settings from the environment when it is imported.
"""
