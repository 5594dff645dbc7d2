"""Romeo, who waits: ``twist romeo``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import Logger

from techboy import exit_status, systems
from techboy.chat.conversation import LAST_WORDS, Keyboard, State
from techboy.chat.nicknames import checked_name
from techboy.chat.outbox import Outbox
from techboy.chat.rate_limit import Bucket
from techboy.chat.server import Rules
from techboy.client.plain import PlainDoor
from techboy.config import endpoints
from techboy.config.options import (
    DAY,
    PORT,
    ConversationOptions,
    days,
    lines_of,
    option,
    place,
    port_number,
    seconds,
    size,
    socket_path,
    whole_number,
)
from techboy.config.reactor import current, steady
from techboy.net.addresses import peer_of
from techboy.net.connection_handler import Door
from techboy.net.connection_log import Record
from techboy.server.broker import STALL
from techboy.server.detect import PlainDoor as PlainThresholdDoor
from techboy.server.detect import Threshold
from techboy.server.direct_sessions import Duet
from techboy.server.listeners import Listening, told
from techboy.server.metrics_server import require_client
from techboy.server.reject import TurnedAway, plainly
from techboy.server.service import Host
from techboy.server.sessions import GRACE, REMEMBER
from techboy.server.storage_service import DRAIN, Home, new_token, runtime_directory, state_directory
from techboy.server.unwelcomed import LEAST, Stranger, Strangers
from techboy.service import IReactor
from techboy.storage.memory import KEEP_MEMORY
from techboy.storage.sqlite import KEEP_RECENT
from techboy.talk import Talk
from techboy.terminal.questions import ask
from techboy.terminal.streams import Streams
from techboy.wire.frames import RESTART, ServerBye
from techboy.wire.native import written
from techboy.wire.plain import HOST

ADDRESS = "0.0.0.0"
GUEST = "juliet"

GUESTS = 1000
HISTORY = 20
RATE = 20
_MOST = 1_000_000
SOCKET = "romeo.sock"
_PLACE = place(0)

SYNC = ("full", "normal")

_log = Logger()


def _sync(text: str) -> str:
    if text not in SYNC:
        raise ValueError(f"one of {', '.join(SYNC)} is wanted, not {text!r}")
    return text


def _motd(path: str) -> tuple[str, list[str]]:
    return path, lines_of(path)


def _socket(manager: Mapping[str, str]) -> str | None:
    directory = runtime_directory(manager)
    return None if directory is None else str(Path(directory, SOCKET))


def _number(name: str, lowest: int) -> Callable[[str], Any]:
    return option(name, whole_number(lowest, _MOST))


class Options(ConversationOptions):
    """Wait for Juliet, and talk."""

    program = "romeo"

    optParameters = [
        [
            "host",
            None,
            None,
            f"Address to listen on, with or without :PORT [default: {ADDRESS}]",
            option("host", _PLACE),
        ],
        ["port", "p", None, f"Port to listen on, 0 for any [default: {PORT}]", option("port", port_number)],
        ["name", None, "romeo", "What you are called", option("name", checked_name)],
        [
            "guests",
            None,
            None,
            f"How many guests may be here; without a keyboard {GUESTS}",
            _number("guests", 1),
        ],
        ["motd", None, None, "File with the lines that guests are shown first", option("motd", _motd)],
        ["history", None, HISTORY, "Lines said before that a guest is shown", _number("history", 0)],
        [
            "keep-memory",
            None,
            None,
            "Memory for what was said, as 500000 or 512K [default: 16M, 4M with a state directory]",
            option("keep-memory", size),
        ],
        ["rate", None, RATE, "Lines a second that a guest may say, 0 for any number", _number("rate", 0)],
        [
            "stall",
            None,
            STALL,
            "Seconds after which a guest who takes nothing is ended",
            option("stall", seconds),
        ],
        ["sync", None, SYNC[0], f"How surely it is stored: {' or '.join(SYNC)}", option("sync", _sync)],
        [
            "keep",
            None,
            None,
            "Days that what was said is kept [default: for ever]",
            option("keep", days),
        ],
        [
            "grace",
            None,
            GRACE,
            "Seconds for which who lost the connection counts as present",
            option("grace", seconds),
        ],
        [
            "remember",
            None,
            None,
            f"Days for which a session that is not used is kept [default: {REMEMBER}]",
            option("remember", days),
        ],
        [
            "metrics",
            None,
            None,
            "Endpoint of figures for Prometheus, of a host of many; tcp:PORT is for this machine alone",
            option("metrics", endpoints.on_loopback),
        ],
        [
            "socket",
            None,
            None,
            "Socket by which you come to the keyboard of a host of many [default: in $RUNTIME_DIRECTORY]",
            option("socket", socket_path),
        ],
    ]
    optFlags = [
        ["once", None, "With many guests: end when the last has left"],
        ["stay", None, "With one guest: wait for the next when one has left"],
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
            self.refuse("--listen goes without --host and --port", "listen", "host", "port")
        if self["once"] and self["stay"]:
            self.refuse("--once and --stay do not go together", "once", "stay")
        keyboard = self.streams().keyboard
        self["many"] = keyboard is Keyboard.NONE or self["guests"] is not None
        self._refuse_for_one()
        if self["metrics"] is not None:
            require_client()
        if not self["check"] and systems.has_manager(self.platform):
            self._take_passed()
        if self["many"] and self["socket"] is None:
            self["socket"] = _socket(self.manager)
        self["guests"] = self["guests"] or GUESTS
        self["motd-path"], self["motd"] = self["motd"] or (None, [])
        self["state"] = state_directory(self.manager) if self["state"] is None else self["state"]
        self["keep-memory"] = self["keep-memory"] or (KEEP_MEMORY if self["state"] is None else KEEP_RECENT)
        self["remember"] = self["remember"] or REMEMBER * DAY
        super().postOptions()
        self["host"] = ADDRESS if self["host"] is None else self["host"]
        self["port"] = PORT if self["port"] is None else self["port"]

    def described(self) -> list[tuple[str, str]]:
        """Return where he listens, and where his figures are."""
        figures = [] if self["metrics"] is None else [self["metrics"]]
        return [*(("listen", text) for text in self["listen"]), *(("metrics", text) for text in figures)]

    def talks(self, streams: Streams) -> bool:
        """A daemon's standard output is its log's, unless --output was said outright."""
        return self["output"] is not None or streams.keyboard is not Keyboard.NONE

    def ask(self, streams: Streams) -> None:
        """Ask for address and port, as the original did."""
        if not self["listen"] and self["host"] is None and self["port"] is None:
            self.ask_host(streams, f"Enter Romeo IP address ex : {ADDRESS} : ", ADDRESS, _PLACE)
            if self["port"] is None:
                self["port"] = ask(streams, f"Enter Romeo port number ex : {PORT} : ", PORT, port_number)

    def _refuse_for_one(self) -> None:
        """Refuse what only a host of many has; a check may be made at another keyboard than the program's."""
        if self["many"] or self["check"]:
            return
        for name in ("metrics", "socket"):
            if self[name] is not None:
                self.refuse(f"--{name} is for a host of many: without a keyboard, or with --guests", name)

    def _take_passed(self) -> None:
        """Listen on what the service manager passed, unless it was said where to listen."""
        if not self["listen"] and self["host"] is None and self["port"] is None:
            self["listen"] = self._passed()
        elif not any(map(endpoints.is_passed, self["listen"])):
            self._warn_of_passed()

    def _warn_of_passed(self) -> None:
        with suppress(ValueError):  # what is wrong with it does not matter then
            if endpoints.passed():
                _log.warn(
                    "nobody answers at the sockets that the service manager passed: another place was said",
                    event="not_used",
                )

    def _passed(self) -> list[str]:
        try:
            return endpoints.passed()
        except ValueError as refused:
            self._fail(exit_status.CONFIG, f"$LISTEN_FDS: {refused}")


class RomeoFactory(ServerFactory):
    """Lets one guest at a time into the conversation; who comes meanwhile is told that Romeo is busy."""

    noisy = False

    def __init__(self, romeo: Romeo) -> None:
        self._romeo = romeo
        self._strangers = Strangers(LEAST, romeo.home.hall.tally)

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Return what finds out how a caller speaks, and brings it in; None if too many are not in yet."""
        stranger = self._strangers.come(lambda: None)
        if stranger is None:
            return None
        romeo = self._romeo
        record = romeo.journal.came(peer_of(addr))
        return Threshold(
            romeo.reactor,
            lambda: self._plain(record, stranger),
            lambda: self._native(record, stranger),
            record,
            stranger,
        )

    def _plain(self, record: Record, stranger: Stranger) -> PlainThresholdDoor:
        romeo = self._romeo
        name = romeo.options["name"]
        if not romeo.conversation.free:
            why = f"{name} is busy talking to somebody else; try again later"
            record.turned_away(why)
            return TurnedAway(plainly(why), romeo.reactor)
        stranger.welcomed()
        max_line = romeo.options["max-line"]
        return PlainDoor(romeo.conversation, HOST, GUEST, romeo.reactor, max_line, record=record)

    def _native(self, record: Record, stranger: Stranger) -> Door:
        romeo = self._romeo
        if romeo.conversation.state is State.OVER:
            record.turned_away(RESTART)
            return TurnedAway(written(ServerBye(RESTART)), romeo.reactor)
        stranger.unwelcome()
        return romeo.home.native_guest(romeo.duet, Bucket(0, 0), record, stranger, two=True)


class Romeo(Talk):
    """Listens, and talks to one guest at a time."""

    def __init__(
        self,
        reactor: IReactor,
        options: Options,
        streams: Streams,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(reactor, options, streams, HOST, Outbox(), wall, stays=bool(options["stay"]))
        rules = Rules(options["name"], guests=1, history=0)
        self.home = Home(reactor, wall, options, rules)
        self.duet = Duet(self.home.house, self.home.hall, self.conversation, new_token, options["grace"])
        self.home.lodgings.append(self.duet)
        factory = RomeoFactory(self)
        self._listening = Listening(lambda: told(reactor, options), factory, self.listens, self._refused)

    @property
    def doing(self) -> str:
        """Romeo waits."""
        return "waiting for somebody to call"

    def startService(self) -> None:
        """Listen, or end with one line that says why not."""
        self._listening.startService()
        self.home.startService()
        super().startService()
        self._listening.announced().addCallback(self.all_open)

    def stopService(self) -> Deferred[Any]:
        """Listen no more, say goodbye; fires when everything was stored, sent and shown."""
        if self.conversation.state is not State.OVER:
            self.duet.back_soon = True
            self.home.end()
        stopped = gatherResults([self._listening.stopService(), super().stopService()])
        return stopped.addCallback(lambda _: self.home.drain()).addCallback(self._stored)

    def leave(self) -> None:
        """Leave the conversation, in haste where a signal ends the program."""
        self.conversation.leave(DRAIN if self.duet.back_soon else LAST_WORDS)

    @property
    def time_left(self) -> float | None:
        """A signal gives all of it so much time, where else there is no haste."""
        return self.home.time_left if self.duet.back_soon else super().time_left

    def _stored(self, stored: bool) -> None:
        if not stored:
            self.fail("not all that was said is stored")
        self.home.stopService()

    def _refused(self, why: str) -> None:
        self.give_up(exit_status.NO_LISTENING, why)


def makeService(options: Options) -> Romeo | Host:
    """Return Romeo as `twist` runs him: for one guest, or for many."""
    kind = Host if options["many"] else Romeo
    return kind(cast(IReactor, steady(current())), options, options["streams"])
