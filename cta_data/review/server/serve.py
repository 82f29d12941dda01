"""Serve a sitting until it ends: the page's button, Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from cta_data.errors import ConfigurationError
from cta_data.review.server.gallery import Gallery
from cta_data.review.server.handlers import (
    DecideHandler,
    EndHandler,
    ItemHandler,
    ListHandler,
    NiivueHandler,
    OutlineHandler,
    PageHandler,
    Room,
    SliceHandler,
    StaticHandler,
    UndoHandler,
    VolumeHandler,
)
from cta_data.review.server.security import HOST, Access
from cta_data.review.sitting import Sitting
from cta_data.study.study import Study

DRAWN_AT_A_TIME = 2
_MOST_BODY, _MOST_WAIT_S = 64 * 1024, 30
"""Bytes of a request, and how long it may take to send them."""
_ID = r"([0-9a-f]{16})"


def serve(
    study: Study,
    sitting: Sitting,
    about: dict[str, Any],
    ready: Callable[[str], None],
    *,
    opens: bool = True,
    port: int = 0,
) -> None:
    """Serve the page of a sitting until it ends.

    Parameters
    ----------
    about
        What the page says of the study and the reading.
    ready
        Takes the address, when the page can be opened.
    opens
        Whether the browser is opened, where there is one.
    port
        On 127.0.0.1; a free one if it is 0.

    Raises
    ------
    ConfigurationError
        The port is taken, or not to be had.
    """
    asyncio.run(_serve(study, sitting, about, ready, opens=opens, port=port))


async def _serve(
    study: Study,
    sitting: Sitting,
    about: dict[str, Any],
    ready: Callable[[str], None],
    *,
    opens: bool,
    port: int,
) -> None:
    sockets = _sockets(port)
    access = Access(sockets[0].getsockname()[1])
    end = asyncio.Event()
    pool = ThreadPoolExecutor(DRAWN_AT_A_TIME)
    room = Room(access, sitting, Gallery(study), pool, about, end)
    server = HTTPServer(_application(room), max_body_size=_MOST_BODY, body_timeout=_MOST_WAIT_S)
    server.add_sockets(sockets)
    before = _end_by_signals(end)
    try:
        ready(access.address)
        if opens and _has_browser():
            threading.Thread(target=webbrowser.open, args=(access.address,), daemon=True).start()
        await end.wait()
        # The answer that ends the sitting is to arrive.
        await asyncio.sleep(0.1)
    finally:
        _give_back(before)
        server.stop()
        # A page that is open in another tab is to learn at once that nothing is kept any more.
        await server.close_all_connections()
        pool.shutdown(wait=False, cancel_futures=True)


def _sockets(port: int) -> list[socket.socket]:
    try:
        return bind_sockets(port, address=HOST)
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigurationError("review_port_unusable", port=port, error=why) from error


def _application(room: Room) -> Application:
    shared = {"room": room}
    logging.getLogger("tornado.access").setLevel(logging.CRITICAL)
    logging.getLogger("tornado.general").setLevel(logging.CRITICAL)
    return Application(
        [
            (r"/", PageHandler, shared),
            (r"/api/list", ListHandler, shared),
            (rf"/api/item/{_ID}", ItemHandler, shared),
            (rf"/slice/{_ID}", SliceHandler, shared),
            (r"/static/niivue\.js", NiivueHandler, shared),
            (r"/static/([a-z.]+)", StaticHandler, shared),
            (rf"/volume/{_ID}", VolumeHandler, shared),
            (rf"/outlines/{_ID}", OutlineHandler, shared),
            (r"/api/decide", DecideHandler, shared),
            (r"/api/undo", UndoHandler, shared),
            (r"/api/end", EndHandler, shared),
        ],
        default_handler_class=NothingHandler,
        default_handler_args=shared,
        compress_response=False,
    )


class NothingHandler(StaticHandler):
    """Any other address: refused like the rest, and then not found."""

    def get(self, name: str = "") -> None:
        """Answer that there is nothing; browsers ask for an icon unasked."""
        if self.request.path == "/favicon.ico":
            self.set_status(204)
        else:
            self.send_error(404)


def _end_by_signals(end: asyncio.Event) -> dict[int, Any]:
    """Have SIGINT and SIGTERM end the sitting; return what handled them before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        known = signal.getsignal(number)
        # A command in the background of a script is not to be stopped by Ctrl-C.
        if known != signal.SIG_IGN:
            before[number] = known
            loop.add_signal_handler(number, end.set)
    return before


def _give_back(before: dict[int, Any]) -> None:
    loop = asyncio.get_running_loop()
    for number, handler in before.items():
        loop.remove_signal_handler(number)
        signal.signal(number, handler)


def _has_browser() -> bool:
    """Tell whether a browser with a window can be opened: not one that takes the terminal."""
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True
