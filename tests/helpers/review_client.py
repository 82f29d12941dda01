"""A review that is served, and a browser without a window, for tests."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.interrupts import heed_interrupts

from cta_data.review.server.serve import serve
from cta_data.review.sitting import Sitting
from cta_data.review.worklist import Asked, worklist
from cta_data.study.study import Study


@dataclass
class Client:
    """A browser without a window: it keeps the cookie, and sends what a page would."""

    port: int
    token: str
    cookie: str = ""

    def send(
        self, path: str, content: Any = None, *, raw: bool = False, **headers: str
    ) -> http.client.HTTPResponse:
        """Send a request; with content, as a page of the server posts it, or as it is (`raw`)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        sent = {"Host": f"127.0.0.1:{self.port}"} | ({"Cookie": self.cookie} if self.cookie else {})
        method, body = (
            ("GET", None) if content is None else ("POST", content if raw else json.dumps(content))
        )
        if body:
            sent["Origin"] = f"http://127.0.0.1:{self.port}"
        connection.request(method, path, body, sent | headers)
        return connection.getresponse()

    def open(self) -> None:
        """Open the address, and keep the cookie."""
        answer = self.send(f"/?token={self.token}")
        assert answer.status == 302 and answer.headers["Location"] == "/"
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
        self.cookie = cookie.split(";")[0]

    def json(self, path: str, content: Any = None) -> Any:
        """Return the JSON of an answer that has to be there."""
        answer = self.send(path, content)
        text = answer.read().decode()
        assert answer.status == 200, text
        return json.loads(text)

    def items(self, kind: str = "") -> list[dict[str, Any]]:
        """Return what is listed, of one kind or all."""
        listed = self.json("/api/list")["items"]
        return [one for one in listed if kind in ("", one["kind"])]


def client_of(address: str) -> Client:
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", address)
    assert found
    return Client(int(found[1]), found[2])


@contextmanager
def serving(
    study: Study, reader: str, *, blinded: bool = True, niivue: bool = False
) -> Iterator[tuple[Client, Sitting]]:
    """Serve a sitting in a thread of this process."""
    sitting = Sitting(study, worklist(study, Asked(blinded=blinded)), reader, "2026-03-01")
    ready: list[str] = []
    there = threading.Event()

    def tell(address: str) -> None:
        ready.append(address)
        there.set()

    about = {"study": "study", "reading": reader, "niivue": niivue}
    thread = threading.Thread(
        target=serve, args=(study, sitting, about, tell), kwargs={"opens": False}
    )
    thread.start()
    assert there.wait(60)
    client = client_of(ready[0])
    client.open()
    try:
        yield client, sitting
    finally:
        client.json("/api/end", {})
        thread.join(60)
        assert not thread.is_alive()


def start_review(study: Path, *words: str) -> tuple[subprocess.Popen[str], Client]:
    """Start the command; return the process, and a client that has opened the page."""
    command = [sys.executable, "-m", "cta_data", "review", "--no-open", "--study", str(study)]
    process = subprocess.Popen(
        [*command, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    assert process.stdout
    for line in process.stdout:
        if found := re.search(r"http://\S+", line):
            client = client_of(found[0])
            client.open()
            return process, client
    raise AssertionError(process.stderr.read() if process.stderr else "")
