"""Restricted files stay where they are until somebody allows a sibling to have them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datalad.runner.exception import CommandError
from helpers.refusals import has_reason

from cta_data.errors import ConfigurationError
from cta_data.study.distribution import (
    Sibling,
    allow,
    describe,
    forbid,
    mark_restricted,
    require_rule,
    restrict_cohort,
)
from cta_data.versioning.datasets import create_dataset, quiet_datalad, save, write_attributes
from cta_data.versioning.push_guard import DENY, MEET, has_guard, install_guard

VALUE = "Data use agreement = signed"
FILES = ["sub-1.nii.gz", "sub-2.nii.gz"]
Maker = Callable[..., Path]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def push(dataset: Path, sibling: str, **options: Any) -> list[dict]:
    """Push as `datalad push` does; return the results about content."""
    results = quiet_datalad(dataset).push(
        dataset=str(dataset),
        to=sibling,
        result_renderer="disabled",
        on_failure="ignore",
        result_xfm=None,
        **options,
    )
    return [result for result in results if result["action"] == "copy"]


def held(dataset: Path, sibling: str) -> list[str]:
    """Names of the files that a sibling is known to hold."""
    if not git(dataset, "config", "--default", "", f"remote.{sibling}.annex-uuid"):
        return []
    return sorted(git(dataset, "annex", "find", f"--in={sibling}").splitlines())


def contents(folder: Path) -> list[Path]:
    """Annexed contents in a bare repository or a work tree, by looking rather than by asking."""
    return [path for path in folder.rglob("*.nii.gz") if path.is_file() and not path.is_symlink()]


def add_store(dataset: Path, folder: Path) -> Path:
    quiet_datalad(dataset).create_sibling_ria(
        f"ria+file://{folder}",
        name="store",
        dataset=str(dataset),
        new_store_ok=True,
        result_renderer="disabled",
    )
    return folder


def add_clone(dataset: Path, folder: Path, name: str = "clone") -> Path:
    """Make a plain git repository beside the dataset and know it as a sibling."""
    git(dataset, "clone", "-q", str(dataset), str(folder))
    git(dataset, "remote", "add", name, str(folder))
    return folder


@pytest.fixture(autouse=True)
def one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Push as from a shell, where git-annex works on one file at a time unless told otherwise."""
    monkeypatch.setattr("cta_data.versioning.git_settings.DEFAULTS", ())
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with two annexed files and one in git."""
    root = tmp_path_factory.mktemp("template") / "dataset"
    root.mkdir()
    write_attributes(root, ["*.nii.gz"])
    for name in FILES:
        (root / name).write_text(f"voxels of {name}")
    (root / "table.tsv").write_text("in git\n")
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test Author")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
        create_dataset(root)
        save(root, "start")
    return root


@pytest.fixture
def make(tmp_path: Path, template: Path) -> Maker:
    """Makes a dataset with two annexed files, restricted or not."""

    def make(*, restricted: bool = True) -> Path:
        root = tmp_path / "dataset"
        shutil.copytree(template, root, symlinks=True)
        if restricted:
            require_rule(root, VALUE)
            mark_restricted(root, VALUE)
        return root

    return make


def test_marking_is_seen_by_git_annex_and_changes_no_tree(make: Maker) -> None:
    """Every annexed file gets the value, also without content; a second call does nothing."""
    dataset = make(restricted=False)
    git(dataset, "annex", "drop", "--force", FILES[1])
    before = git(dataset, "rev-parse", "HEAD")
    assert mark_restricted(dataset, VALUE) == len(FILES)
    for name in FILES:
        assert git(dataset, "annex", "metadata", "-g", "distribution-restrictions", name) == VALUE
    branch = git(dataset, "rev-parse", "git-annex")
    assert mark_restricted(dataset, "another") == 0
    assert git(dataset, "rev-parse", "git-annex") == branch
    assert git(dataset, "rev-parse", "HEAD") == before
    assert git(dataset, "status", "--porcelain") == ""
    assert (describe(dataset).restricted, describe(dataset).unmarked) == (2, 0)


def test_only_new_files_are_marked(make: Maker) -> None:
    """What was added since is marked, and nothing else is written."""
    dataset = make()
    (dataset / "sub-3.nii.gz").write_text("new")
    save(dataset, "more")
    assert describe(dataset).unmarked == 1
    assert mark_restricted(dataset, VALUE) == 1


def test_a_value_has_to_say_something(make: Maker) -> None:
    """An empty mark would be no mark."""
    with pytest.raises(ConfigurationError, check=has_reason("distribution_restriction_invalid")):
        mark_restricted(make(restricted=False), " ")


def test_a_fresh_store_gets_restricted_files_only_when_allowed(make: Maker, tmp_path: Path) -> None:
    """A RIA store made afterwards gets the history, and the files once it is allowed."""
    dataset = make()
    store = add_store(dataset, tmp_path / "store")
    assert git(dataset, "annex", "wanted", "store-storage") == DENY  # git-annex's own default
    assert push(dataset, "store") == []
    assert contents(store) == []
    assert describe(dataset).siblings == (Sibling("store", allowed=False, has_rule=True),)

    allow(dataset, "store")
    assert len(push(dataset, "store")) == len(FILES)
    assert len(contents(store)) == len(FILES)
    assert describe(dataset).siblings == (Sibling("store", allowed=True, has_rule=True),)


def test_a_plain_clone_gets_restricted_files_only_while_allowed(
    make: Maker, tmp_path: Path
) -> None:
    """A git repository that git-annex has never heard of has its rule before the first copy.

    When it is forbidden again, new files stay; what it holds is not taken away.
    """
    dataset = make()
    folder = add_clone(dataset, tmp_path / "clone")
    assert push(dataset, "clone") == []
    assert git(dataset, "annex", "wanted", "clone") == DENY
    assert contents(folder) == []

    allow(dataset, "clone")
    assert len(push(dataset, "clone")) == len(FILES)
    assert len(contents(folder)) == len(FILES)

    forbid(dataset, "clone")
    (dataset / "sub-3.nii.gz").write_text("new")
    save(dataset, "more")
    assert push(dataset, "clone") == []
    assert held(dataset, "clone") == FILES
    assert len(contents(folder)) == len(FILES)
    with pytest.raises(ConfigurationError, check=has_reason("sibling_unknown", sibling="nobody")):
        forbid(dataset, "nobody")


def test_a_bare_repository_is_refused_again_and_again(make: Maker, tmp_path: Path) -> None:
    """A repository that becomes an annex by the first push gets nothing by the second either."""
    dataset = make()
    folder = tmp_path / "bare"
    git(tmp_path, "init", "-q", "--bare", str(folder))
    git(dataset, "remote", "add", "bare", str(folder))
    with pytest.raises(ConfigurationError, check=has_reason("sibling_without_annex")):
        allow(dataset, "bare")
    for _ in range(2):
        push(dataset, "bare")
    assert contents(folder) == []
    assert git(dataset, "annex", "wanted", "bare") == DENY
    allow(dataset, "bare")
    push(dataset, "bare")
    assert len(contents(folder)) == len(FILES)


def test_a_push_that_asks_no_rule_is_refused(make: Maker, tmp_path: Path) -> None:
    """`--data anything` and `--force all` skip preferred content; git-annex refuses the copy."""
    dataset = make()
    folder = add_clone(dataset, tmp_path / "clone")
    for options in ({"data": "anything"}, {"data": "anything", "force": "all"}):
        with pytest.raises(CommandError, match="readonly"):
            push(dataset, "clone", **options)
    assert contents(folder) == []


def test_files_saved_by_hand_are_marked_before_they_are_pushed(make: Maker, tmp_path: Path) -> None:
    """A file that came in with `datalad save` is held back like the others."""
    dataset = make()
    add_clone(dataset, tmp_path / "clone")
    (dataset / "sub-3.nii.gz").write_text("by hand")
    save(dataset, "by hand")
    assert push(dataset, "clone") == []
    assert (describe(dataset).restricted, describe(dataset).unmarked) == (3, 0)


def test_a_public_dataset_is_pushed_without_asking(make: Maker, tmp_path: Path) -> None:
    """Nothing is marked, nothing is in the way."""
    dataset = make(restricted=False)
    add_clone(dataset, tmp_path / "clone")
    assert len(push(dataset, "clone")) == len(FILES)
    assert describe(dataset).restricted == 0


def test_a_rule_that_somebody_set_is_kept_beside_the_denial(make: Maker, tmp_path: Path) -> None:
    """A sibling's own preferred content is narrowed, and given back when it is allowed."""
    dataset = make()
    add_clone(dataset, tmp_path / "clone")
    git(dataset, "annex", "sync", *MEET, "clone")
    git(dataset, "annex", "wanted", "clone", f"include={FILES[0]}")
    assert push(dataset, "clone") == []
    assert git(dataset, "annex", "wanted", "clone") == f"(include={FILES[0]}) and {DENY}"
    allow(dataset, "clone")
    assert git(dataset, "annex", "wanted", "clone") == f"include={FILES[0]}"
    push(dataset, "clone")
    assert held(dataset, "clone") == [FILES[0]]


def test_the_guard_keeps_what_the_hook_held(make: Maker) -> None:
    """git-annex's own lines stay, and a second installation changes nothing."""
    dataset = make(restricted=False)
    hook = dataset / ".git" / "hooks" / "pre-push"
    before = hook.read_text()
    assert not has_guard(dataset)
    install_guard(dataset, VALUE)
    once = hook.read_text()
    assert all(line in once.splitlines() for line in before.splitlines())
    install_guard(dataset, VALUE)
    assert hook.read_text() == once
    assert has_guard(dataset) and os.access(hook, os.X_OK)


class _Section:
    access = "restricted"
    agreement = "Signed agreement"


class _Card:
    cohort = _Section


class _Study:
    """As much of a study as marking needs."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def card(self, cohort: str) -> type[_Card]:
        return _Card

    def cohort_path(self, cohort: str) -> str:
        return cohort

    def sourcedata_path(self, cohort: str) -> str:
        return f"{cohort}/sourcedata"

    def derivatives_path(self, cohort: str) -> str:
        return f"{cohort}/derivatives/cta"


def test_a_cohort_is_marked_after_commits_and_only_then(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agreement's name is the mark; a public cohort is left alone; no commit, no work."""
    dataset = make(restricted=False)
    study: Any = _Study(dataset.parent)
    monkeypatch.setattr(_Section, "access", "public")
    assert restrict_cohort(study, "dataset") == 0
    assert not has_guard(dataset)
    monkeypatch.setattr(_Section, "access", "registered")
    assert restrict_cohort(study, "dataset") == len(FILES)
    shown = git(dataset, "annex", "metadata", "-g", "distribution-restrictions", FILES[0])
    assert shown == "Signed agreement"
    monkeypatch.setattr(
        "cta_data.study.distribution.mark_restricted", lambda *_: pytest.fail("nothing to do")
    )
    assert restrict_cohort(study, "dataset") == 0
