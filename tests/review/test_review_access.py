"""Who may speak to the server of a review."""

from __future__ import annotations

import pytest

from cta_data.review.server.security import PAGE_POLICY, Access

ACCESS = Access(4711, token="t" * 32, session="s" * 32)
HOST = {"Host": "127.0.0.1:4711"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:80"},
        {"Host": "evil.example:4711"},
        {"Host": "localhost:4711"},
        HOST | {"Origin": "http://evil.example"},
        HOST | {"Origin": "http://127.0.0.1:80"},
        HOST | {"Origin": "null"},
        HOST | {"Sec-Fetch-Site": "cross-site"},
        HOST | {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_requests_of_elsewhere_are_refused(headers: dict[str, str]) -> None:
    """Another host leads here by DNS rebinding, another origin is another page."""
    assert ACCESS.refuses(headers, changes=False) and ACCESS.refuses(headers, changes=True)


def test_what_changes_something_names_its_origin() -> None:
    """To look may do without: browsers send no origin with images."""
    assert not ACCESS.refuses(HOST, changes=False)
    assert ACCESS.refuses(HOST, changes=True)
    assert not ACCESS.refuses(HOST | {"Origin": "http://127.0.0.1:4711"}, changes=True)


def test_secrets_are_compared_whole_and_are_not_shown() -> None:
    """A part, another case or nothing is no token; two servers have different ones."""
    for wrong in ("", "t" * 31, "T" * 32, "t" * 33, "ß"):
        assert not ACCESS.is_token(wrong) and not ACCESS.is_session(wrong)
    assert ACCESS.is_token("t" * 32) and ACCESS.is_session("s" * 32)
    assert Access(1).token != Access(1).token and len(Access(1).token) >= 32
    assert "ttt" not in repr(ACCESS) and "sss" not in repr(ACCESS)


def test_the_page_may_load_nothing_of_elsewhere() -> None:
    """Every source of the policy is the server itself, or nothing."""
    rules = dict(rule.strip().split(" ", 1) for rule in PAGE_POLICY.split(";"))
    assert rules.pop("img-src") == "'self' data:", "what is in the code itself loads nothing"
    assert set(rules.values()) == {"'self'", "'none'"} and rules["default-src"] == "'none'"
