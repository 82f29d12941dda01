"""What a user or a system sets for git: it changes nothing of what a study holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.plain_study import write_plain_card, write_plain_patients

from cta_data.versioning.committed import datasets_of
from cta_data.versioning.tools import use_environment_tools

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

WHO = "[user]\n\tname = Test Author\n\temail = test@example.org\n"
HOSTILE = """
[core]
    excludesFile = ~/ignored
    attributesFile = ~/attributes
    hooksPath = ~/hooks
    autocrlf = true
    safecrlf = true
    fileMode = false
    quotePath = true
[commit]
    gpgsign = true
[gpg]
    program = /nonexistent
[filter "lfs"]
    clean = nonexistent-lfs %f
    smudge = nonexistent-lfs %f
    required = true
[init]
    templateDir = ~/template
    defaultBranch = trunk
    defaultObjectFormat = sha256
[status]
    showUntrackedFiles = no
[diff]
    external = nonexistent-diff
    noprefix = true
[annex]
    largefiles = nothing
    addunlocked = true
    backend = SHA256E
    maxextensionlength = 2
    securehashesonly = true
"""
FLOW = """
import secrets, sys
from helpers.command_line import run_cta
secrets.token_hex = lambda n: "5" * 2 * n  # labels of series are the same in both studies
work = sys.argv[1]
at = ("--study", f"{work}/study")
for words in (
    ("init", f"{work}/study", "--empty"),
    ("add", "mine", f"{work}/raw", "--card", f"{work}/mine.toml", *at),
    ("convert", *at),
):
    done = run_cta(*words)
    assert done.code == 0, (words[0], done.text)
"""


def write_home(home: Path, settings: str) -> None:
    """Write a user's home with settings, and the files that they name."""
    (home / "hooks").mkdir(parents=True)
    (home / ".gitconfig").write_text(WHO + settings, "utf-8")
    (home / "ignored").write_text("*.gz\n*.json\n", "utf-8")
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "ignore").write_text("*.parquet\n", "utf-8")
    (home / "attributes").write_text(
        "*.gz filter=lfs -annex.largefiles\n*.parquet filter=lfs\n*.tsv text eol=crlf ident\n"
        "*.md working-tree-encoding=UTF-16\n",
        "utf-8",
    )
    hook = home / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho refused by policy >&2\nexit 1\n", "utf-8")
    hook.chmod(0o755)
    (home / "template" / "info").mkdir(parents=True)
    (home / "template" / "info" / "exclude").write_text("*.gz\n", "utf-8")
    (home / "hooks").rename(home / "template" / "hooks")
    (home / "hooks").symlink_to(home / "template" / "hooks")


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """Return this process's environment with another home, and nothing else of git's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "XDG_"))}
    return kept | {"HOME": str(home)} | more


def start_study(work: Path, settings: str, **variables: str) -> subprocess.Popen[str]:
    """Start making a study with the commands of a user who has these settings."""
    use_environment_tools()
    write_home(work / "home", settings)
    write_plain_card(work / "mine.toml")
    write_plain_patients(work / "raw", ("anna", "berta"))
    environment = environment_of(work / "home", **variables)
    environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
    command = [sys.executable, "-c", FLOW, str(work)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def blobs(study: Path) -> dict[str, str]:
    """Return mode and object of all that HEAD holds in all datasets, by path.

    DataLad's random identifiers of datasets, and with them the commits, differ from study to study.
    """
    found = {}
    for dataset in datasets_of(study):
        listed = subprocess.run(
            ["git", "ls-tree", "-r", "-z", "HEAD"],
            cwd=dataset,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for entry in listed.rstrip("\0").split("\0"):
            about, _, path = entry.partition("\t")
            if not about.startswith("160000") and path not in (".datalad/config", ".gitmodules"):
                found[(dataset / path).relative_to(study).as_posix()] = about
    return found


def test_the_settings_of_a_user_change_no_object_and_no_key(tmp_path: Path) -> None:
    """Ignore rules, attributes, filters, hooks, signing, line ends, git-annex's settings and
    variables of another repository: HEAD of every dataset holds the same objects as without them,
    and a clone made by that user has the images."""
    started = (
        start_study(tmp_path / "plain", ""),
        start_study(
            tmp_path / "hostile",
            HOSTILE,
            GIT_DIR=str(tmp_path / "elsewhere"),
            GIT_INDEX_FILE=str(tmp_path / "index"),
            GIT_CONFIG_COUNT="1",
            GIT_CONFIG_KEY_0="annex.largefiles",
            GIT_CONFIG_VALUE_0="nothing",
        ),
    )
    for process in started:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    plain, hostile = (tmp_path / name / "study" for name in ("plain", "hostile"))
    expected, found = blobs(plain), blobs(hostile)
    differing = {path for path in expected | found if expected.get(path) != found.get(path)}
    assert differing == set()
    images = [path for path, about in found.items() if path.endswith(".nii.gz")]
    assert len(images) == 8 and all(found[path].startswith("120000") for path in images)

    environment = environment_of(tmp_path / "hostile" / "home")
    clone = tmp_path / "clone"
    for command in (
        ["git", "clone", "-q", "--template=", str(hostile / "datasets" / "mine"), str(clone)],
        # That this user takes no content with MD5 from others is not for a study to change.
        ["git", "-C", str(clone), "-c", "annex.securehashesonly=false", "annex", "get", "-q", "."],
    ):
        subprocess.run(command, env=environment, capture_output=True, check=True)
    fetched = sorted(clone.glob("sub-*/**/*.nii.gz"))
    assert len(fetched) == 2 and all(path.stat().st_size > 1 for path in fetched)
