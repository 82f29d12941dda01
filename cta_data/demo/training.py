"""The demonstration's models: settings A to D, so small that a processor trains them."""

from __future__ import annotations

from cta_data.demo.experiment import Experiment, run_experiment
from cta_data.engine import ExecutorOptions
from cta_data.study.study import CONFIGURATION, Study
from cta_data.terminal.output import print_report
from cta_data.terminal.progress import ProgressObserver
from cta_data.training.machine import machine_for
from cta_data.training.runner import TrainingRequest
from cta_data.versioning.datasets import save

SETTINGS = ("A", "B", "C", "D")
FOLD = 0
NOTICE = "Digital phantoms: simulated heads, not data of any person."
OF_MODELS = (
    " The models are tiny and trained for seconds; the figures show that everything runs, and say "
    "nothing about any method."
)
TRAINING = """
[training]                    # tiny: a processor learns it in less than a minute
epochs = 8
iterations_per_epoch = 50
validation_iterations = 2
learning_rate = 0.05
reproducible = true
patch_size = [24, 24, 24]
features = [4, 8, 16]
batch_size = 2
mirroring = false
tile_step = 1.0
"""


def configure(study: Study, *, train: bool) -> Study:
    """Write into study.toml that these are phantoms and, where wanted, how models are trained."""
    notice, training = (NOTICE + OF_MODELS, TRAINING) if train else (NOTICE, "")
    path = study.root / CONFIGURATION
    text = path.read_text("utf-8")
    first, rest = text.split("[study]\n", 1)
    path.write_text(f'{first}[study]\nnotice = "{notice}"\n{rest}{training}', encoding="utf-8")
    save(study.root, "A study of digital phantoms", [path])
    study.refresh()
    return study


def train_and_evaluate(study: Study, jobs: int) -> Experiment:
    """Train, predict and evaluate settings A to D on the processor."""
    training = study.configuration.training
    request = TrainingRequest(
        settings=SETTINGS,
        folds=(FOLD,),
        training=training,
        machine=machine_for("cpu", 0, jobs, checkpoint_every=training.epochs),
        executor=ExecutorOptions(jobs),
        command=(),
    )
    with ProgressObserver(watched=study.root) as progress:
        return run_experiment(study, request, progress.observer())


def tell(done: Experiment) -> bool:
    """Print what was trained and predicted; return whether all of it was."""
    if done.report is not None:
        print_report(done.report, as_json=False)
    whole = done.trained is not None and done.evaluation is not None
    return whole and done.report is not None and not done.report.failures
