"""Walk a source and read the header of every DICOM file in it, by content and not by name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from cta_data.errors import CtaError, DataRefused
from cta_data.intake.archives import (
    UnpackBudget,
    compressed_start,
    is_archive,
    unpack,
    unpack_file,
)
from cta_data.intake.headers import HeaderFile, read_headers
from cta_data.intake.instances import Instance, Unreadable, is_directory_file, looks_like_dicom
from cta_data.intake.plain_files import (
    CohortFile,
    FilePlace,
    Recognise,
    read_cohort_file,
    recognise_nothing,
)
from cta_data.names import hidden_character, shown

LEADS_OUT = "is a link that leads out of the source"


@dataclass(frozen=True)
class Problem:
    """A file of the source that could not be used, and why.

    ``file`` is relative to the source and may carry what a hospital puts into file names: show
    it to the user, keep it out of what is published.
    """

    file: str
    reason: str


@dataclass
class Discovery:
    """What a source holds.

    Attributes
    ----------
    instances
        Whole and damaged instances (see `Instance.fault`) in order of their name.
    problems
        Files that could not be used.
    cohort_files
        Files about the whole cohort.
    unmatched
        Names of files that are no DICOM and that nothing recognises.
    counts
        ``files`` seen (archives among them count as ``archives``), ``dicom``, ``recognised``
        (plain files of subjects and of the cohort), ``ignored`` (on the caller's word),
        ``not_dicom``, ``dicomdir``, ``archives``, ``unreadable``: ``files`` is the sum of the
        others.
    """

    instances: list[Instance] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    cohort_files: list[CohortFile] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def discover(
    source: Path,
    work: Path,
    budget: UnpackBudget,
    identity_attributes: tuple[str, ...],
    recognise: Recognise = recognise_nothing,
    jobs: int = 1,
) -> Discovery:
    """Read every header under a folder or in an archive.

    Parameters
    ----------
    source
        A folder, or a zip or tar file; links in it that lead out of it are not read.
    work
        Existing folder that archives are unpacked into.
    budget
        Limits of unpacking.
    identity_attributes
        DICOM keywords to keep in `Instance.identity`.
    recognise
        What the paths of files that are no DICOM say. Such files are never opened as archives: a
        workbook is a zip file.
    jobs
        Processes that read headers.

    Raises
    ------
    CtaError
        If the source does not exist.
    DataRefused
        If the source itself is an archive that cannot be unpacked safely. An unsafe or broken
        archive inside the source costs itself only, and is a `Problem`.
    """
    walker = _Walker(source, work, budget, recognise)
    if source.is_dir():
        for path, name in _files_below(source, walker.found):
            walker.visit(path, name, depth=0)
    elif source.is_file():
        walker.visit_source(source)
    else:
        raise CtaError("source_not_found", where=source)
    walker.read(identity_attributes, jobs)
    walker.found.instances.sort(key=lambda instance: instance.name)
    walker.found.problems.sort(key=lambda problem: (problem.file, problem.reason))
    return walker.found


class _Walker:
    """Finds the files of a source, opens archives, and then has the headers read."""

    def __init__(
        self, source: Path, work: Path, budget: UnpackBudget, recognise: Recognise
    ) -> None:
        self._source = source
        self._work = work
        self._budget = budget
        self._recognise = recognise
        self._archives = 0
        self._files: list[HeaderFile] = []
        self.found = Discovery()

    def read(self, identity_attributes: tuple[str, ...], jobs: int) -> None:
        """Read the headers of all files that were found."""
        for header in read_headers(self._files, identity_attributes, jobs):
            if header.kind == "unreadable":
                self._unreadable(header.name, header.reason)
                continue
            self._count(header.kind)
            if header.instance is not None:
                self.found.instances.append(header.instance)
                if header.instance.fault:
                    self.found.problems.append(Problem(header.name, header.instance.fault))

    def visit_source(self, source: Path) -> None:
        """Take a source that is a file: here an archive that is refused refuses everything."""
        if self._recognise(source.name) is None and is_archive(source, source.name):
            self._count("archives")
            self._visit_members(source, prefix="", name=source.name, depth=0)
        else:
            self.visit(source, source.name, depth=0)

    def visit(self, path: Path, name: str, depth: int) -> None:
        """Classify one file; what it asks of this machine beyond its memory costs it alone."""
        try:
            self._visit(path, name, depth)
        except (MemoryError, RecursionError, OverflowError) as error:
            self._unreadable(name, f"cannot be read in the memory that is free ({_kind(error)})")

    def _visit(self, path: Path, name: str, depth: int) -> None:
        place = self._recognise(name)
        name, hidden = shown(name), hidden_character(name)
        if place is not None and hidden and place.use != "ignored":
            self._visit_misnamed(path, name, place, f"has the character {hidden} in its name")
        elif place is not None:
            self._visit_plain(path, name, place)
        else:
            self._visit_unknown(path, name, depth)

    def _visit_unknown(self, path: Path, name: str, depth: int) -> None:
        """Take a file by its content."""
        if leads_out(path, self._source):
            self._unreadable(name, LEADS_OUT)
            return
        try:
            if not path.is_file() and path.exists():
                self._unreadable(name, "is not a plain file")
                return
            with path.open("rb") as stream:
                start = stream.read(512)
            is_dicom = looks_like_dicom(start)
            archive = not is_dicom and is_archive(path, name)
            packed = b"" if is_dicom or archive else compressed_start(path, 512)
        except OSError as error:
            self._unreadable(name, _os_reason(error))
            return
        if archive:
            self._visit_archive(path, name, depth)
        elif is_dicom:
            self._visit_dicom(path, name, start)
        elif looks_like_dicom(packed):
            self._visit_packed_dicom(path, name, packed)
        else:
            self._count("not_dicom")
            self.found.unmatched.append(name)

    def _visit_misnamed(self, path: Path, name: str, place: FilePlace, fault: str) -> None:
        """Refuse a file that is known by its path, where that cannot stand in a table."""
        if place.use != "subject":
            self._unreadable(name, fault)
            return
        self._visit_plain(
            path,
            name,
            replace(
                place,
                place=shown(place.place),
                series=shown(place.series),
                subject=shown(place.subject),
                session=shown(place.session),
                fault=fault,
            ),
        )

    def _visit_plain(self, path: Path, name: str, place: FilePlace) -> None:
        if place.use == "ignored":
            self._count("ignored")
            return
        out = leads_out(path, self._source)
        if out and place.use == "subject":
            place = replace(place, fault=LEADS_OUT)
        if place.use == "subject":
            self._files.append(HeaderFile(path, name, place))
            return
        if out:
            self._unreadable(name, LEADS_OUT)
            return
        try:
            if not path.is_file():
                gone = "is a link whose content is not here" if path.is_symlink() else "is no file"
                self._unreadable(name, gone)
                return
            self.found.cohort_files.append(read_cohort_file(path, name))
        except OSError as error:
            self._unreadable(name, _os_reason(error))
        except Unreadable as error:
            self._unreadable(name, str(error))
        else:
            self._count("recognised")

    def _visit_dicom(self, path: Path, name: str, start: bytes) -> None:
        if is_directory_file(start):
            self._count("dicomdir")
        else:
            self._files.append(HeaderFile(path, name))

    def _visit_packed_dicom(self, path: Path, name: str, start: bytes) -> None:
        """Take a DICOM file that was compressed on its own, such as `0001.dcm.gz`."""
        self._archives += 1
        into = self._work / f"file-{self._archives:05d}"
        try:
            unpacked = unpack_file(path, into, self._budget, name=name)
        except DataRefused as error:
            self._unreadable(name, f"{error.what}: {error.why}")
        else:
            self._visit_dicom(unpacked, name, start)

    def _visit_archive(self, path: Path, name: str, depth: int) -> None:
        self._count("archives")
        limit = self._budget.limits.depth
        if depth >= limit:
            self.found.problems.append(
                Problem(name, f"is an archive nested deeper than {limit}; it was left closed")
            )
            return
        try:
            self._visit_members(path, prefix=f"{name}/", name=name, depth=depth + 1)
        except DataRefused as error:
            self.found.problems.append(Problem(name, f"{error.what}: {error.why}"))

    def _visit_members(self, path: Path, *, prefix: str, name: str, depth: int) -> None:
        self._archives += 1
        into = self._work / f"archive-{self._archives:05d}"
        for member in unpack(path, into, self._budget, name=name):
            self.visit(member.path, prefix + member.name, depth)

    def _unreadable(self, name: str, reason: str) -> None:
        self._count("unreadable")
        self.found.problems.append(Problem(name, reason))

    def _count(self, what: str) -> None:
        self.found.counts["files"] += 1
        self.found.counts[what] += 1


def _kind(error: BaseException) -> str:
    return type(error).__name__


def _os_reason(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"


def _files_below(folder: Path, found: Discovery) -> Iterator[tuple[Path, str]]:
    """Files below a folder in a fixed order; links to folders are reported and not followed."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        for linked in sorted(name for name in folders if (here / name).is_symlink()):
            where = (here / linked).relative_to(folder).as_posix()
            found.problems.append(Problem(where, "is a link to a folder and was not followed"))
        # A source under version control keeps every file a second time there.
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(files):
            path = here / name
            yield path, path.relative_to(folder).as_posix()


def leads_out(path: Path, source: Path) -> bool:
    """Return whether a file of a source is a link to something that is no part of it.

    Content that git-annex keeps for a dataset that the link lies in is part of it, there or not.
    """
    if not path.is_symlink():
        return False
    target = Path(os.path.realpath(path))
    if target.is_relative_to(os.path.realpath(source)):
        return False
    return not any(target.is_relative_to(objects) for objects in _annexes_around(path))


def _annexes_around(path: Path) -> list[Path]:
    """Return where git-annex keeps the content of the datasets that a file lies in."""
    folders = Path(os.path.realpath(path.parent))
    found = []
    for folder in (folders, *folders.parents):
        git = folder / ".git"
        if git.is_file():  # of a submodule: it names the folder
            told = git.read_text("utf-8", errors="replace").removeprefix("gitdir:").strip()
            git = folder / told
        if git.is_dir():
            found.append(Path(os.path.realpath(git)) / "annex" / "objects")
    return found
