"""Sessions that a hospital named by dates or people are numbered, everywhere outside sourcedata."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from helpers.command_line import run_cta
from helpers.plain_study import plain_card, write_plain_patients

from cta_data.study.study import Study

CLINICAL = r"""
[[clinical]]
file = 'list\.csv$'
name = "list"
publish = ['^dose$']
keys = { subject = '^patient$', session = '^visit$' }
columns = { age_years = '^age$' }
"""
SECRETS = ("20200117", "20210301", "zaunkoenig", "koehler")


def _raw(folder: Path) -> Path:
    for session in ("20210301", "20200117"):
        write_plain_patients(folder / session, ("muster",))
    write_plain_patients(folder / "Zaunkoenig", ("probe",))
    for session in ("Koehler", "Zaun"):
        write_plain_patients(folder / session, ("drossel",))
    for place in sorted(folder.iterdir()):
        for patient in place.iterdir():  # no two sessions with the same image
            raw = folder.parent / "raw" / patient.name / f"ses{place.name}"
            raw.parent.mkdir(parents=True, exist_ok=True)
            patient.rename(raw)
    rows = "muster,20210301,61,20\nmuster,20200117,60,24\nprobe,Zaunkoenig,70,18\n"
    (folder.parent / "raw/list.csv").write_text("patient,visit,age,dose\n" + rows, "utf-8")
    return folder.parent / "raw"


@pytest.fixture(scope="module", params=["restricted", "public"])
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted study of a cohort of such access."""
    work = tmp_path_factory.mktemp(request.param)
    raw = _raw(work / "by_session")
    rules = plain_card("mine", pattern="").replace('"public"', f'"{request.param}"')
    rules = rules.replace("[^/]+)/t1", "[^/]+)/ses(?P<session>[^/]+)/t1")
    rules = rules.replace("[^/]+)/seg", "[^/]+)/ses(?P<session>[^/]+)/seg")
    (work / "mine.toml").write_text(rules + CLINICAL, "utf-8")
    root = work / request.param
    assert run_cta("init", root, "--empty").code == 0
    added = run_cta("add", "mine", raw, "--card", work / "mine.toml", study=root)
    assert added.code == (3 if request.param == "restricted" else 0), added.text
    assert run_cta("convert", study=root).code == added.code
    return root


def _published(root: Path) -> str:
    """Return names and texts of all that is not sourcedata, and the history of every dataset."""
    told = []
    for path in root.rglob("*"):
        inner = path.relative_to(root).as_posix()
        if (
            "sourcedata/" not in inner
            and "/.git/" not in f"/{inner}"
            and not inner.startswith(".cta")
        ):
            told.append(inner)
            if path.is_file() and path.suffix in (".tsv", ".json", ".parquet", ".toml"):
                told.append(path.read_bytes().decode("latin-1"))
    for dataset in (root, root / "datasets/mine", root / "datasets/mine/derivatives/cta"):
        log = subprocess.run(["git", "-C", dataset, "log", "--all", "-p"], capture_output=True)
        told.append(log.stdout.decode("latin-1"))
    return "\n".join(told).lower()


def test_dates_and_names_of_sessions_stay_in_sourcedata(study: Path) -> None:
    """Of a restricted cohort; a public collection keeps its labels."""
    told = _published(study)
    found = [secret for secret in SECRETS if secret in told]
    assert found == ([] if study.name == "restricted" else [*SECRETS])


def test_clinical_rows_find_their_session(study: Path) -> None:
    """The table knows sessions by the label in the source, the study by their number."""
    told = Study(study).query("select session, age_years from subjects order by age_years")
    rows = told.dropna().values.tolist()
    numbered = [["1", 60.0], ["2", 61.0], ["1", 70.0]]
    as_delivered = [["20200117", 60.0], ["20210301", 61.0], ["Zaunkoenig", 70.0]]
    assert rows == (numbered if study.name == "restricted" else as_delivered)
    table = (study / "datasets/mine/phenotype/list.tsv").read_text("utf-8").splitlines()
    if study.name == "restricted":
        assert sorted(line.split("\t")[1:] for line in table[1:]) == [
            ["ses-1", "18"],
            ["ses-1", "24"],
            ["ses-2", "20"],
        ]
