"""Where a file comes from: every step back, from git alone."""

from __future__ import annotations

import pytest
from helpers.light_study import add_patient, make_light_study
from helpers.refusals import has_reason

from cta_data.errors import ConfigurationError
from cta_data.pipeline.lineage import KEPT, MADE, RAW, trace
from cta_data.pipeline.lineage_graph import graph_text
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import UnitRow
from cta_data.study.unit_id import UnitId
from cta_data.versioning.keys import content_key
from cta_data.versioning.provenance import commit_run
from cta_data.versioning.run_records import run_records

pytestmark = pytest.mark.slow
RAW_FILE = "datasets/internal/sourcedata/sub-1/mr.tar"
IMAGE = "datasets/internal/derivatives/cta/sub-1/MPRAGE_brain.nii.gz"
FIGURE = "evaluation/article/figure.svg"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A raw file, an image that a unit made of it, and a figure that a command made of that."""
    study = make_light_study(tmp_path_factory.mktemp("lineage") / "study")
    add_patient(study, "internal", "1", "NAQ", 1)
    raw = study.root / RAW_FILE
    raw.parent.mkdir(parents=True)
    raw.write_text("raw")
    unit = UnitRow.of(
        UnitId("convert", SessionId("internal", "1", "1")),
        status="ok",
        key="k",
        step_version=5,
        parameters="digest",
        inputs=(RAW_FILE,),
        input_keys=(str(content_key(raw)),),
        outputs=(IMAGE,),
    )
    study.tables.upsert([unit])
    study.tables.flush()
    paths = ["datasets/internal", "manifests"]
    commit_run(study.root, ["cta-data", "convert"], "convert", paths, 0, inputs=[RAW_FILE])
    figure = study.root / FIGURE
    figure.parent.mkdir(parents=True)
    figure.write_text("figure")
    command = ["cta-data", "evaluate"]
    commit_run(study.root, command, "evaluate", ["evaluation"], 0, inputs=[IMAGE, "study.toml"])
    return study


def test_a_figure_leads_back_to_raw_files(study: Study) -> None:
    """Each step with commit, command, versions and keys of inputs; each file with its origin."""
    found = trace(study, FIGURE)
    figure, image = found.steps
    records = {record.command: record.commit for record in run_records(study.root)}
    assert (figure.kind, figure.commit) == ("evaluate", records["cta-data evaluate"])
    assert set(figure.inputs) == {IMAGE, "study.toml"}
    assert figure.inputs[IMAGE] == found.files[IMAGE].key != ""
    assert (image.name, image.version) == ("convert internal sub-1 ses-1", 5)
    assert image.commit == records["cta-data convert"]
    assert image.parameters == {"digest": "digest"} and "SimpleITK" in image.software
    origins = {path: file.origin for path, file in found.files.items()}
    wanted = {FIGURE: MADE, IMAGE: MADE, RAW_FILE: RAW, "study.toml": KEPT}
    assert origins == wanted and image.changed == []


def test_an_input_that_changed_is_marked(study: Study) -> None:
    """The key that was read stays; that it is another now is told."""
    path = study.root / RAW_FILE
    kept = path.with_name("kept")
    path.rename(kept)
    path.write_text("other")
    step = trace(study, IMAGE).steps[0]
    path.unlink()
    kept.rename(path)
    assert step.changed == [RAW_FILE] and step.inputs[RAW_FILE].startswith("MD5E-s3--")


def test_a_folder_is_all_that_was_made_in_it_and_nothing_else_is_known(study: Study) -> None:
    """A folder leads as far as its files; what is not there is an error."""
    assert set(trace(study, "evaluation").files) >= {FIGURE, RAW_FILE}
    with pytest.raises(ConfigurationError, check=has_reason("study_file_not_found")):
        trace(study, "evaluation/none.svg")


def test_the_graph_has_a_box_a_kind_of_step(study: Study) -> None:
    """Both languages name the steps, and how many files go from one to the next."""
    found = trace(study, FIGURE)
    mermaid, dot = (graph_text(found, ending) for ending in (".mmd", ".dot"))
    assert mermaid.startswith("flowchart TD\n") and "step_raw -->|1| step_convert" in mermaid
    assert '"convert" -> "evaluate" [label="1"];' in dot and '"evaluate" -> "target"' in dot
