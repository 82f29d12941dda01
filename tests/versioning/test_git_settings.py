"""Which settings and variables of a user reach git, and that git is asked what it committed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from helpers.refusals import has_reason

from cta_data.errors import CtaError
from cta_data.versioning.committed import datasets_of, require_committed, untracked
from cta_data.versioning.datasets import AS_THEY_ARE, write_attributes
from cta_data.versioning.git_settings import run_git, settings_set_aside
from cta_data.versioning.ownership import require_trusted

SETTINGS = r"""
[user]
    name = "A \"quoted\" name"
    email = a@example.org
[safe]
    directory = /one
    directory = "/two words"
[url "ssh://git@host/"]
    insteadOf = "https://host/"
[http]
    sslVerify
[includeIf "gitdir:{folder}/study/"]
    path = {folder}/conditional
[core]
    excludesFile = /nowhere
    hooksPath = /nowhere
[commit]
    gpgsign = true
[annex]
    largefiles = nothing
[annex "security"]
    allowed-ip-addresses = 127.0.0.1
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with settings of many kinds, also in the environment."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (tmp_path / ".gitconfig").write_text(SETTINGS.replace("{folder}", str(tmp_path)), "utf-8")
    (tmp_path / "conditional").write_text("[user]\n\temail = at.work@example.org\n", "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "annex.thin")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    monkeypatch.setenv("GIT_CONFIG_KEY_1", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_1", "/three")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -v")
    # What `use_own_settings` sets is taken back after the test.
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_ATTR_NOSYSTEM"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    subprocess.run(["git", "init", "-q", "--template=", str(tmp_path / "study")], check=True)
    return tmp_path


@pytest.fixture
def repository(home: Path) -> Path:
    """A repository with one commit."""
    folder = home / "study"
    (folder / "kept.txt").write_text("one\r\n", "utf-8")
    write_attributes(folder, ())
    for words in (("add", "."), ("commit", "-q", "-m", "start")):
        run_git(folder, *words, check=True)
    return folder


def test_only_who_commits_and_how_others_are_reached_is_kept(home: Path) -> None:
    """Names, trust and ways to others come through as they are, conditional ones too; what changes
    a commit does not, wherever it was set."""

    def values(name: str) -> list[str]:
        return run_git(home / "study", "config", "--get-all", name).stdout.splitlines()

    assert values("user.name") == ['A "quoted" name']
    assert values("user.email")[-1] == "at.work@example.org"
    assert {"/one", "/two words", "/three"} <= set(values("safe.directory"))
    assert values("url.ssh://git@host/.insteadof") == ["https://host/"]
    assert run_git(home, "config", "--bool", "http.sslverify").stdout == "true\n"
    assert values("annex.security.allowed-ip-addresses") == ["127.0.0.1"]
    assert values("annex.jobs") == ["cpus"]
    for name in ("core.hookspath", "commit.gpgsign", "annex.largefiles", "annex.thin"):
        assert values(name) == []
    assert values("core.excludesfile") == values("core.attributesfile") == [os.devnull]
    assert "GIT_INDEX_FILE" not in os.environ and os.environ["GIT_SSH_COMMAND"] == "ssh -v"
    assert Path(os.environ["GIT_CONFIG_GLOBAL"]).stat().st_mode & 0o077 == 0


def test_git_stores_the_bytes_of_a_file(repository: Path) -> None:
    """A clone of a user with other line ends and filters has the same bytes."""
    assert (repository / ".gitattributes").read_text("utf-8").startswith(AS_THEY_ARE)
    words = ("-c", "core.autocrlf=true", "clone", "-q", str(repository), "../clone")
    subprocess.run(["git", *words], cwd=repository, check=True)
    assert (repository.parent / "clone" / "kept.txt").read_bytes() == b"one\r\n"


def test_what_git_left_out_of_a_commit_is_an_error(repository: Path) -> None:
    """Untracked or changed under the paths that were committed: an error that names it. What the
    dataset's own .gitignore names is left out on purpose, and known as not tracked."""
    require_committed(repository, [repository])
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "exclude").write_text("*.gz\n", "utf-8")
    (repository / "in").mkdir()
    (repository / "in" / "image.nii.gz").write_text("voxels", "utf-8")
    with pytest.raises(CtaError, check=has_reason("files_not_committed", left="in/image.nii.gz")):
        require_committed(repository, [repository / "in"])
    require_committed(repository, [repository / "kept.txt"])
    assert untracked(repository, ["kept.txt", "in/image.nii.gz"]) == ["in/image.nii.gz"]
    (repository / ".gitignore").write_text("*.gz\n", "utf-8")
    require_committed(repository, [repository / "in"])
    (repository / "kept.txt").write_text("two", "utf-8")
    with pytest.raises(CtaError, check=has_reason("files_not_committed", left="kept.txt")):
        require_committed(repository, [repository / "kept.txt"])


def test_a_nested_dataset_is_committed_up_to_the_top(repository: Path) -> None:
    """A commit of a nested dataset that the one around it does not record is not whole."""
    inner = repository / "a" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_text("1", "utf-8")
    run_git(inner, "init", "-q", check=True)
    for text in ("1", "2"):
        (inner / "file").write_text(text, "utf-8")
        run_git(inner, "add", ".", check=True)
        run_git(inner, "commit", "-q", "-m", text, check=True)
        with pytest.raises(CtaError, check=has_reason("files_not_committed")):
            require_committed(repository, [inner / "file"])
        (repository / ".gitmodules").write_text(
            '[submodule "inner"]\n\tpath = a/inner\n\turl = ./a/inner\n', "utf-8"
        )
        run_git(repository, "add", ".", check=True)
        run_git(repository, "commit", "-q", "-m", text, check=True)
        require_committed(repository, [inner / "file"])
    assert list(datasets_of(repository)) == [repository, inner]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_study_of_another_user_is_refused_with_gits_remedy(repository: Path) -> None:
    """Before anything is written, and once the user trusts the owner it works."""
    require_trusted(repository)
    os.chown(repository, 65534, 65534)
    with pytest.raises(CtaError, check=has_reason("study_owned_by_another_user")) as caught:
        require_trusted(repository)
    assert caught.value.next_step.endswith(f"safe.directory {repository}")
    # So does whatever only reads, such as the way back of a file.
    with pytest.raises(CtaError, check=has_reason("study_owned_by_another_user")) as caught:
        run_git(repository, "log", check=True)
    assert caught.value.next_step.endswith(f"safe.directory {repository}")
    settings = os.environ["GIT_CONFIG_GLOBAL"]
    add = ("config", "--file", settings, "--add", "safe.directory", str(repository))
    run_git(repository.parent, *add, check=True)
    require_trusted(repository)


def test_settings_that_a_commit_of_the_user_s_would_have_are_told(
    home: Path, tmp_path: Path
) -> None:
    """`datalad rerun` commits with them: `doctor` names them, and files that git reads."""
    ignore = tmp_path / ".config/git/ignore"
    ignore.parent.mkdir(parents=True)
    ignore.write_text("*.gz\n", "utf-8")
    told = settings_set_aside(tmp_path)
    expected = {"core.excludesfile", "core.hookspath", "commit.gpgsign", "annex.largefiles"}
    assert {*expected, "annex.thin", str(ignore)} <= set(told)
    assert not [name for name in told if name.startswith(("user.", "safe.", "url.", "http."))]
