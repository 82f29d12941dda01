"""Who may speak to the server: the browser that was given the address, and no page of elsewhere.

The server listens on 127.0.0.1 alone. Other programs of this machine, and pages of other sites in
the same browser, can send requests there, too. So every request needs the secret: the address has
a token, which the first answer turns into a cookie that scripts cannot read and that no other site
makes the browser send. `Host` is checked against names that lead here (DNS rebinding), `Origin` and
`Sec-Fetch-Site` against requests that other pages send.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

HOST = "127.0.0.1"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Images may be in the code itself (`data:`): NiiVue has its letters there. They load nothing."""
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "cta-data",
}
"""Of every answer. Images of patients are not to stay in the browser's cache."""
_OWN_SITE = ("same-origin", "none")


@dataclass(frozen=True)
class Access:
    """The secrets of one server, and its port."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    session: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def origin(self) -> str:
        """What a browser calls this server."""
        return f"http://{HOST}:{self.port}"

    @property
    def address(self) -> str:
        """Address with the token, for the reader's browser alone."""
        return f"{self.origin}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """Name of the cookie: browsers send cookies to every port of a host."""
        return f"cta_review_{self.port}"

    def is_token(self, given: str) -> bool:
        """Tell whether this is the token of the address."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def is_session(self, given: str) -> bool:
        """Tell whether this is the value of the cookie."""
        return hmac.compare_digest(given.encode(), self.session.encode())

    def refuses(self, headers: Mapping[str, str], *, changes: bool) -> str:
        """Return why a request is refused for where it comes from; empty if it is not.

        Parameters
        ----------
        changes
            Whether it changes anything: then its origin has to be named.
        """
        if headers.get("Host", "") != f"{HOST}:{self.port}":
            return "this is not the host of the review"
        origin = headers.get("Origin", "")
        if origin != self.origin and (origin or changes):
            return "the request comes from another page"
        if headers.get("Sec-Fetch-Site", "none") not in _OWN_SITE:
            return "the request comes from another site"
        return ""
