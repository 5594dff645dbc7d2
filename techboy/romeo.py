"""The server's options and service: ``twist romeo``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from techboy import exit_status, systems
from techboy.chat.nicknames import checked_nickname
from techboy.config import endpoints
from techboy.config.options import PORT, ConversationOptions, option_type
from techboy.config.reactor import current, steady
from techboy.config.values import (
    DAY,
    Bare,
    choice,
    describe_duration,
    duration,
    lines_of,
    place,
    port_number,
    size,
    socket_path,
    whole_number,
)
from techboy.server.metrics_server import require_client
from techboy.server.send_timeouts import SEND_TIMEOUT
from techboy.server.service import RoomServer
from techboy.server.sessions import RESUME_TIMEOUT, SESSION_TTL
from techboy.server.storage_service import runtime_directory, state_directory
from techboy.storage.memory import HISTORY_MEMORY
from techboy.storage.sqlite import RECENT_MEMORY
from techboy.terminal.interface import InputSource
from techboy.terminal.questions import ask
from techboy.terminal.streams import Streams

ADDRESS = "0.0.0.0"

GUESTS = 1000
HISTORY = 20
RATE = 20
_MOST = 1_000_000
SOCKET = "romeo.sock"
_PLACE = place(0)

SYNC = ("full", "normal")

_log = Logger()


def _motd(path: str) -> tuple[str, list[str]]:
    return path, lines_of(path)


def _socket(manager: Mapping[str, str]) -> str | None:
    directory = runtime_directory(manager)
    return None if directory is None else str(Path(directory, SOCKET))


def _number(name: str, lowest: int) -> Callable[[str], Any]:
    return option_type(name, whole_number(lowest, _MOST))


class Options(ConversationOptions):
    """Wait for Juliet, and talk."""

    program = "romeo"

    optParameters = [
        [
            "host",
            None,
            None,
            f"Address to listen on, with or without :PORT [default: {ADDRESS}]",
            option_type("host", _PLACE),
        ],
        [
            "port",
            "p",
            None,
            f"Port to listen on, 0 for any [default: {PORT}]",
            option_type("port", port_number),
        ],
        ["name", None, "romeo", "Your nickname", option_type("name", checked_nickname)],
        [
            "guests",
            None,
            None,
            f"Clients admitted at a time [default: {GUESTS} without a keyboard]",
            _number("guests", 1),
        ],
        ["motd", None, None, "File with the message of the day", option_type("motd", _motd)],
        ["history", None, HISTORY, "Earlier messages shown to a client that joins", _number("history", 0)],
        [
            "history-memory",
            None,
            None,
            "Memory limit for message history, for example 512K [default: 16M, 4M with --state]",
            option_type("history-memory", size),
        ],
        [
            "rate",
            None,
            RATE,
            "Throttle a client to so many lines a second; 0 is no limit",
            _number("rate", 0),
        ],
        [
            "send-timeout",
            None,
            None,
            "Disconnect a client that has read nothing for so long"
            f" [default: {describe_duration(SEND_TIMEOUT)}]",
            option_type("send-timeout", duration()),
        ],
        [
            "sync",
            None,
            SYNC[0],
            "Stored messages survive a power failure (full) or a killed process (normal)",
            option_type("sync", choice("value", *SYNC)),
        ],
        [
            "retention",
            None,
            None,
            "Delete messages older than this, for example 7d [default: keep for ever]",
            option_type("retention", duration(Bare.REFUSED)),
        ],
        [
            "resume-timeout",
            None,
            None,
            f"Keep a disconnected user listed for so long [default: {describe_duration(RESUME_TIMEOUT)}]",
            option_type("resume-timeout", duration()),
        ],
        [
            "session-ttl",
            None,
            None,
            f"Delete a session that was not used for so long [default: {SESSION_TTL}d]",
            option_type("session-ttl", duration(Bare.REFUSED)),
        ],
        [
            "metrics",
            None,
            None,
            "Serve Prometheus metrics and a health check on this endpoint; tcp:PORT is loopback only",
            option_type("metrics", endpoints.on_loopback),
        ],
        [
            "socket",
            None,
            None,
            "Unix socket for the operator: twist juliet --socket PATH [default: in $RUNTIME_DIRECTORY]",
            option_type("socket", socket_path),
        ],
    ]
    optFlags = [
        ["once", None, "Exit when the last client has left"],
        ["keep-open", "k", "In direct mode: wait for the next client when one has left"],
    ]
    repeated = ("listen",)
    sides = (frozenset({"host", "port"}), frozenset({"listen"}))

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, endpoint: str) -> None:
        """Twisted server endpoint to listen on, instead of host and port; may be repeated."""
        self["listen"].append(endpoint)

    def postOptions(self) -> None:
        """Refuse what does not go together, and fill in what was not said."""
        self.refuse_missing()
        self.split_host()
        if self["listen"] and (self["host"] is not None or self["port"] is not None):
            self.refuse("--listen cannot be combined with --host or --port", "listen", "host", "port")
        if self["once"] and self["keep-open"]:
            self.refuse("--once cannot be combined with --keep-open", "once", "keep-open")
        keyboard = self.streams().keyboard
        self["many"] = keyboard is InputSource.NONE or self["guests"] is not None
        if self["metrics"] is not None:
            require_client()
        if not self["check"] and systems.has_manager(self.platform):
            self._take_passed()
        if self["socket"] is None:
            self["socket"] = _socket(self.manager)
        self["guests"] = self["guests"] or GUESTS
        self["motd-path"], self["motd"] = self["motd"] or (None, [])
        self["state"] = state_directory(self.manager) if self["state"] is None else self["state"]
        self["history-memory"] = self["history-memory"] or (
            HISTORY_MEMORY if self["state"] is None else RECENT_MEMORY
        )
        self["send-timeout"] = self["send-timeout"] or SEND_TIMEOUT
        self["resume-timeout"] = self["resume-timeout"] or RESUME_TIMEOUT
        self["session-ttl"] = self["session-ttl"] or SESSION_TTL * DAY
        super().postOptions()
        self["host"] = ADDRESS if self["host"] is None else self["host"]
        self["port"] = PORT if self["port"] is None else self["port"]

    def described(self) -> list[tuple[str, str]]:
        """Return where he listens, and where his figures are."""
        figures = [] if self["metrics"] is None else [self["metrics"]]
        return [*(("listen", text) for text in self["listen"]), *(("metrics", text) for text in figures)]

    def talks(self, streams: Streams) -> bool:
        """A daemon's standard output is its log's, unless --output was said outright."""
        return self["output"] is not None or streams.keyboard is not InputSource.NONE

    def ask(self, streams: Streams) -> None:
        """Ask for address and port, as the original did."""
        if not self["listen"] and self["host"] is None and self["port"] is None:
            self.ask_host(streams, f"Enter Romeo IP address ex : {ADDRESS} : ", ADDRESS, _PLACE)
            if self["port"] is None:
                self["port"] = ask(streams, f"Enter Romeo port number ex : {PORT} : ", PORT, port_number)

    def _take_passed(self) -> None:
        """Listen on what the service manager passed, unless it was said where to listen."""
        if not self["listen"] and self["host"] is None and self["port"] is None:
            self["listen"] = self._passed()
        elif not any(map(endpoints.is_passed, self["listen"])):
            self._warn_of_passed()

    def _warn_of_passed(self) -> None:
        with suppress(ValueError):  # what is wrong with it does not matter then
            if endpoints.inherited_sockets():
                _log.warn(
                    "the sockets from the service manager are not used: an option sets where to listen",
                    event="inherited_sockets_unused",
                )

    def _passed(self) -> list[str]:
        try:
            return endpoints.inherited_sockets()
        except ValueError as refused:
            self._fail(exit_status.CONFIG, f"$LISTEN_FDS: {refused}")


def makeService(options: Options) -> RoomServer:
    """Return the server as `twist` runs it: for many clients, or in direct mode for one."""
    return RoomServer(steady(current()), options, options["streams"])
