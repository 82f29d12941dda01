"""A long review: how soon the list and the first image are there, and what the server needs.

Run ``python benchmarks/review.py``; ``--sessions`` (200) says how many there are. Every session has
two techniques of full size (256 × 256 × 192 voxels, the second oblique), two masks of 12 lesions, a
transfer on hold and 5 findings of a model. The files of all sessions are links to those of one, so
that the study costs nothing to make; the program reads each as if it were its own. The command runs
in a process of its own, and a client without a browser asks for what the page asks for.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import SimpleITK as sitk

TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))

from helpers.table_study import COHORT, make_table_study  # noqa: E402

from cta_data.formats.nifti.image import write_image  # noqa: E402
from cta_data.study.session_id import SessionId  # noqa: E402
from cta_data.study.study import Study  # noqa: E402
from cta_data.study.tables import (  # noqa: E402
    CaseScoreRow,
    ImageRow,
    LesionScoreRow,
    TransferCheckRow,
    TransformRow,
    UnitRow,
    VariantRow,
)

SIZE, SPACING = (256, 256, 192), (0.86, 0.86, 0.9)
LESIONS, FINDINGS, SEED = 12, 5, 20250215
TECHNIQUES = {"MPRAGE": (0.0, 0.0, 0.0), "SPACE": (0.2, -0.15, 0.25)}
"""With the angles (radians) of their grids."""
PLANES = ("axial", "coronal", "sagittal")


def grid_of(angles: tuple[float, ...]) -> sitk.Image:
    """Return an empty grid around the origin, turned by angles."""
    grid = sitk.Image(SIZE, sitk.sitkUInt8)
    grid.SetSpacing(SPACING)
    grid.SetDirection(sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix())
    middle = grid.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in SIZE])
    grid.SetOrigin([-value for value in middle])
    return grid


def write_files(folder: Path) -> list[tuple[float, ...]]:
    """Write the files of one session; return where its lesions are (LPS, mm)."""
    random = np.random.default_rng(SEED)
    places = random.uniform(-50, 50, (LESIONS, 3))
    for technique, angles in TECHNIQUES.items():
        grid = grid_of(angles)
        axes = [np.arange(n) * step for n, step in zip(SIZE, SPACING, strict=True)]
        labels = np.zeros(SIZE[::-1], np.uint8)
        direction = np.array(grid.GetDirection()).reshape(3, 3)
        for number, place in enumerate(places, start=1):
            x, y, z = direction.T @ (place - np.array(grid.GetOrigin()))
            apart = (
                (axes[2] - z)[:, None, None] ** 2
                + (axes[1] - y)[None, :, None] ** 2
                + (axes[0] - x)[None, None, :] ** 2
            )
            labels[apart <= (1 + number / 2) ** 2] = number
        z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in SIZE[::-1]], indexing="ij")
        head = (x**2 + y**2 + z**2 < 0.8) * 600
        voxels = head + random.normal(100, 20, head.shape) + 500 * (labels > 0)
        for name, values in (("image", voxels.astype(np.int16)), ("labels", labels)):
            image = sitk.GetImageFromArray(values)
            image.CopyInformation(grid)
            write_image(image, folder / f"{technique}_{name}.nii.gz")
    identity = sitk.AffineTransform(3)
    sitk.WriteTransform(identity, str(folder / "transform.tfm"))
    return [tuple(place.tolist()) for place in places]


def make_study(folder: Path, sessions: int) -> Study:
    """Make the study: a row for all that a session has, and a link for each of its files."""
    one = folder / "files"
    one.mkdir()
    places = write_files(one)
    study = make_table_study(folder / "study", sessions)
    names = [row.id.session for row in study.tables.rows(UnitRow) if row.step == "transfer"]
    study.tables.replace(ImageRow, ("cohort",), {(COHORT,)}, [])
    study.tables.replace(VariantRow, ("cohort",), {(COHORT,)}, [])
    for session in names:
        assert session is not None
        add_session(study, session, one, places)
    held = {"status": "impossible", "outputs": ("labels",), "reason_code": "on_hold"}
    units = [row for row in study.tables.rows(UnitRow) if row.step == "transfer"]
    study.tables.upsert([replace(row, reason="on hold: lesion 1", **held) for row in units])
    study.tables.flush()
    return study


def add_session(
    study: Study, session: SessionId, one: Path, places: list[tuple[float, ...]]
) -> None:
    """Add the rows and the files of a session; `places` are LPS, mm."""
    top = f"datasets/{COHORT}/derivatives/cta/{session.case}"
    for technique in TECHNIQUES:
        image, labels = (f"{top}/{technique}_{name}.nii.gz" for name in ("image", "labels"))
        for path in (image, labels):
            link(one / Path(path).name, study.root / path)
        about = {"contrast_phase": "post", "description": "", "modality": "MR", "frame": 0}
        study.tables.upsert([ImageRow(session=session, technique=technique, path=image, **about)])
        about = {"annotation": "HAQ", "quality": "HAQ", "account_path": f"{top}/account.json"}
        paths = {"labels_path": labels, "mask_path": labels}
        study.tables.upsert([VariantRow(session=session, grid=technique, **about, **paths)])
        checks = [
            TransferCheckRow(
                session=session, annotation="HAQ", grid=technique, lesion_id=number,
                volume_ratio=0.9, centroid_shift_mm=0.3, passed=True, reasons=(),
            )
            for number in range(1, LESIONS + 1)
        ]  # fmt: skip
        study.tables.upsert(checks)
    link(one / "transform.tfm", study.root / top / "transform.tfm")
    made = {"path": f"{top}/transform.tfm", "kind": "rigid", "source": "computed"}
    row = TransformRow(session=session, fixed="MPRAGE", moving="SPACE", accepted=True, **made)
    study.tables.upsert([row])
    about = {"convention": "article", "model": "B", "test_set": "EXT", "case": session.case}
    for kind in ("references/EXT", "predictions/B/EXT"):
        path = study.root / f"evaluation/{kind}/{session.case}.nii.gz"
        link(one / "MPRAGE_labels.nii.gz", path)
    findings = [
        LesionScoreRow(
            **about, reference_lesion=0, predicted_lesion=number, status="false",
            technique="MPRAGE", centroid_ras_mm=(-x, -y, z), predicted_volume_mm3=100.0,
        )
        for number, (x, y, z) in enumerate(places[:FINDINGS], start=1)
    ]  # fmt: skip
    study.tables.upsert(findings)
    counts = {"n_reference": 0, "n_predicted": FINDINGS, "tp": 0, "fp": FINDINGS, "fn": 0}
    study.tables.upsert([CaseScoreRow(**about, **counts)])


def link(source: Path, target: Path) -> None:
    """Give a file another name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)


@dataclass
class Served:
    """A review that runs in a process of its own, and what it has cost."""

    process: subprocess.Popen[str]
    connection: http.client.HTTPConnection
    cookie: str
    started: float
    sizes: dict[str, int] = field(default_factory=dict)

    def get(self, address: str) -> bytes:
        """Return what an address answers."""
        self.connection.request("GET", address, headers={"Cookie": self.cookie})
        answer = self.connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return content

    def cpu_s(self) -> float:
        """Return the processor time of the server so far, with what it has waited for."""
        spent = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, spent[11:15])) / os.sysconf("SC_CLK_TCK")

    def most_mb(self) -> int:
        """Return the most memory that it has held, MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+)", status)
        assert found
        return int(found[1]) // 1024

    def open(self, item: str) -> None:
        """Ask for all that the page shows of an item at first."""
        view = json.loads(self.get(f"/api/item/{item}"))["view"]
        x, y, z = view["stops"][0]["point"]
        where = {"x": x, "y": y, "z": z, "width": 90, "pixels": 384, "level": 0.5, "window": 1}
        for plane in PLANES:
            asked = urlencode(where | {"plane": plane})
            for technique in view["techniques"][:2]:
                self.get(f"/slice/{item}?{asked}&technique={technique}")
            self.get(f"/outlines/{item}?{asked}")


@contextmanager
def serving(study: Path) -> Iterator[Served]:
    """Run the command until its address is there."""
    started = time.monotonic()
    words = ("review", "--no-open", "--reader", "Bench", "--study", str(study))
    command = [sys.executable, "-m", "cta_data", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    lines = (re.search(r"http://(127.0.0.1:\d+)/\?token=(\S+)", line) for line in process.stdout)
    found = next((match for match in lines if match), None)
    if found is None:
        raise SystemExit("the review ended before it had an address")
    connection = http.client.HTTPConnection(found[1], timeout=600)
    connection.request("GET", f"/?token={found[2]}")
    answer = connection.getresponse()
    answer.read()
    try:
        yield Served(process, connection, answer.headers["Set-Cookie"].split(";")[0], started)
    finally:
        process.terminate()
        process.wait()


def measure(study: Path) -> None:
    """Print what a review of this study takes."""
    with serving(study) as served:
        print_cost("address", served)
        content = served.get("/api/list")
        items = json.loads(content)["items"]
        print_cost("list", served, f"{len(items)} items, {len(content) / 1024:.0f} KB")
        served.open(items[0]["id"])
        print_cost("first item with its pictures", served)
        taken = []
        for item in [one for one in items if one["kind"] == "transfer"][1:21]:
            before = time.monotonic()
            served.open(item["id"])
            taken.append(time.monotonic() - before)
        text = f"median {statistics.median(taken):.2f} s each" if taken else ""
        print_cost("20 more sessions", served, text)
        taken = []
        for item in [one for one in items if one["kind"] == "finding"][:40]:
            before = time.monotonic()
            served.open(item["id"])
            taken.append(time.monotonic() - before)
        print_cost("40 findings", served, f"median {statistics.median(taken):.2f} s each")


def print_cost(name: str, served: Served, more: str = "") -> None:
    """Print a line: time since the start, processor time of the server, its most memory."""
    wall = time.monotonic() - served.started
    print(f"{name:30} {wall:7.1f} s {served.cpu_s():7.1f} s CPU {served.most_mb():6} MB  {more}")


def main() -> None:
    """Make the study, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200)
    sessions = parser.parse_args().sessions
    folder = Path(tempfile.mkdtemp(prefix="review-"))
    try:
        measure(make_study(folder, sessions).root)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
