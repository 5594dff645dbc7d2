"""The service that is shipped for a user: from READY to its end, with everybody who talks there meanwhile.

It is started with its unit's command line, under a service manager's notify socket. Guests say numbered lines
all the while, at two terminals the host does too, and in the end all that anybody saw is compared.
"""

from __future__ import annotations

import json
import re
import socket
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from enum import Enum, auto
from functools import partial
from itertools import dropwhile
from pathlib import Path
from signal import SIGABRT, SIGSTOP
from threading import Event, RLock, Thread
from typing import Any

import pytest

from tests.functional.manager import Manager, State
from tests.functional.programs import DEADLINE, LOOPBACK, NULL, TWIST, NativePeer, free_port, wait_until
from tests.functional.screens import Screen, Screens
from tests.functional.test_daemon import TERMINATED
from tests.functional.units import SHIPPED, Places
from tests.screen import ENTER

WATCHDOG = 5.0
"""Seconds without a sign of life that are too many; the unit's are too long to be waited for."""

SOON = 0.1
"""Seconds after which a service that failed is started again."""

_AGAIN = 0.02  # seconds between two calls to a port where nobody answers

Line = tuple[int, str, str]
"""What was said: its id in the log, who said it, and the text."""


class Mood(Enum):
    """What a guest is up to."""

    TALKING = auto()
    SILENT = auto()
    LEAVING = auto()


class Talker:
    """A guest of that ``name`` who says one numbered line after the other, and hears.

    It keeps what is not stored and calls ``port`` again where the connection is lost, as docs/protocol.rst
    says. ``said`` and ``stored`` count its lines, ``heard`` has those of others as they came.
    """

    UNDER_WAY = 5
    """How many lines it says before the first of them is stored."""

    def __init__(self, name: str, port: int) -> None:
        self.name, self._port = name, port
        self.said = self.stored = 0
        self.heard: list[Line] = []
        self.byes: list[str] = []
        self.complaints: list[dict[str, Any]] = []
        self._known: dict[str, object] = {}
        self._sent = 0  # lines said on this connection, or known to be stored when it began
        self._mood, self._lock, self._leaves = Mood.TALKING, RLock(), Event()
        self._peer: NativePeer | None = None
        self._thread = Thread(target=self._live, daemon=True)
        self._thread.start()

    def has_heard(self, texts: set[str]) -> bool:
        """Whether it has heard all of ``texts``."""
        return texts <= {text for _, _, text in list(self.heard)}

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._peer is not None

    def says_more(self, lines: int) -> None:
        """Wait until so many more lines are stored."""
        expected = self.stored + lines
        wait_until(lambda: self.stored >= expected)

    def falls_silent(self) -> None:
        """Say nothing new, and wait until all that was said is stored."""
        with self._lock:
            self._mood = Mood.SILENT
        wait_until(lambda: self.stored == self.said)

    def close(self) -> None:
        """Leave for good."""
        with self._lock:
            self._mood = Mood.LEAVING
            self._leaves.set()
            if self._peer is not None:
                with suppress(OSError):  # it may be lost already
                    self._peer.connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    # what goes on in the thread

    def _live(self) -> None:
        while self._mood is not Mood.LEAVING:
            with suppress(ConnectionError):
                connection = socket.create_connection((LOOPBACK, self._port), DEADLINE)
                with closing(NativePeer(connection)) as peer:
                    self._visit(peer)
            self._leaves.wait(_AGAIN)

    def _visit(self, peer: NativePeer) -> None:
        with self._lock:
            if self._mood is Mood.LEAVING:
                return
            self._peer = peer
        try:
            peer.tells({"type": "hello", "version": 1, "name": self.name, **self._known})
            with peer.connection.makefile("rb") as lines:
                for line in lines:
                    if line.endswith(b"\n"):  # the last may be torn where the connection broke
                        with self._lock:
                            self._hear(peer, json.loads(line))
        finally:
            with self._lock:
                self._peer = None

    def _hear(self, peer: NativePeer, frame: dict[str, Any]) -> None:
        if frame["type"] == "welcome":
            self._sent = self.stored = frame["next_seq"] - 1
            self._known = {"last_seen_id": frame["after_id"]} | self._known
            self._known |= {key: frame[key] for key in ("session", "log_epoch", "room")}
            self._say(peer)
        elif frame["type"] == "ack":
            self.stored = frame["next_seq"] - 1
            self._say(peer)
        elif frame["type"] == "message":
            texts = frame["text"].split("\n")
            self.heard += [(id_, frame["from"], text) for id_, text in enumerate(texts, frame["id"])]
            self._known["last_seen_id"] = frame["id"] + len(texts) - 1
        elif frame["type"] == "ping":
            peer.tells({"type": "pong", "number": frame["number"]})
        elif frame["type"] == "bye":
            self.byes.append(frame["reason"])
        elif frame["type"] not in ("notice", "throttled"):
            self.complaints.append(frame)

    def _say(self, peer: NativePeer) -> None:
        if self._mood is Mood.TALKING:
            self.said = max(self.said, self.stored + self.UNDER_WAY)
        while self._sent < min(self.said, self.stored + self.UNDER_WAY):
            self._sent += 1
            peer.tells({"type": "message", "kind": "text", "text": f"line {self._sent}", "seq": self._sent})


class Host:
    """Somebody at a terminal, attached to the service; what is said there begins with ``label``."""

    def __init__(self, screen: Screen, label: str) -> None:
        self.screen, self._label = screen, label
        screen.until(lambda _: any(" here: " in row for row in screen.everything))

    def says(self, words: str) -> str:
        """Type a line, and return it as others see it."""
        text = f"{self._label} {words}"
        self.screen.writes(f"{text}{ENTER}")
        return f"romeo: {text}"

    def sees(self, line: str) -> None:
        """Wait until ``line`` was shown."""
        self.screen.until(lambda _: line in self.screen.said)

    def detaches(self) -> None:
        """Leave the service to itself."""
        self.screen.writes(f"exit{ENTER}")
        assert self.screen.ends() == 0
        assert self.screen.is_tidy

    def is_own(self, line: str) -> bool:
        """Tell whether ``line`` was said here."""
        return line.startswith(f"romeo: {self._label} ")

    @property
    def own(self) -> list[str]:
        """What was said here, as it is shown."""
        return [line for line in self._said if self.is_own(line)]

    @property
    def others(self) -> list[str]:
        """What was said elsewhere, as it is shown."""
        return [line for line in self._said if not self.is_own(line)]

    @property
    def _said(self) -> list[str]:
        """What anybody said; what is shown of connections has no author."""
        return [line for line in self.screen.said if re.match(r"\w+: ", line)]


class Service:
    """The service of a user, its guests, and the terminals at which its host is."""

    NAMES = ("nurse", "mercutio")

    def __init__(self, root: Path, ended: ExitStack) -> None:
        self._places, self._ended = Places.of_user(root), ended
        self._screens = Screens(root)
        ended.enter_context(self._screens)
        port = free_port()
        configure(self._places, "romeo", HOST=LOOPBACK, PORT=port)
        unit = SHIPPED / "user" / "techboy-romeo.service"
        self.manager = ended.enter_context(Manager(unit, self._places, watchdog=WATCHDOG, restart_after=SOON))
        self.manager.start()
        self.talkers = [Talker(name, port) for name in self.NAMES]
        for talker in self.talkers:
            ended.callback(talker.close)
        self._hosts = list[Host]()

    def attach(self, label: str) -> Host:
        """Return a terminal that is attached."""
        path = self._places.runtime / "techboy-romeo" / "romeo.sock"
        host = Host(self._screens.on_screen(TWIST, "juliet", "--socket", str(path)), label)
        self._hosts.append(host)
        return host

    def goes_on(self) -> None:
        """See guests and hosts talk, and hear each other."""
        for talker in self.talkers:
            talker.says_more(10)
        present = self._present()
        for host in present:
            said = host.says(f"goes on {len(host.own)}")
            for other in present:
                other.sees(said)
        for talker in self.talkers:
            for host in present:
                host.sees(f"{talker.name}: line {talker.stored}")

    def falls_silent(self) -> None:
        """Let everybody finish, and wait until everybody has seen all of it."""
        for talker in self.talkers:
            talker.falls_silent()
        present = self._present()
        last = [host.says("that is all") for host in present]
        for host in present:
            for line in last:
                host.sees(line)
        texts = {line.removeprefix("romeo: ") for line in last}
        for talker in self.talkers:
            wait_until(partial(talker.has_heard, texts))

    def logged(self) -> list[Line]:
        """Return all that is kept; the service is not to run."""
        assert self.manager.state is State.INACTIVE
        path = self._places.state / "techboy-romeo" / "romeo.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            batches = connection.execute("SELECT first, author, text FROM batch ORDER BY first").fetchall()
        return [
            (id_, author, line)
            for first, author, text in batches
            for id_, line in enumerate(text.split("\n"), first)
        ]

    def see_whole(self) -> None:
        """See that nothing was lost or doubled, and that all heard it in one order."""
        logged = self.logged()
        assert [id_ for id_, _, _ in logged] == list(range(1, len(logged) + 1))
        for talker in self.talkers:
            assert said_by(talker.name, logged) == numbered(talker.said)
            assert talker.heard == [line for line in logged if line[1] != talker.name]
            assert talker.complaints == []
        shown = [f"{author}: {text}" for _, author, text in logged]
        for host in self._hosts:
            theirs = [line for line in shown if not host.is_own(line)]
            assert host.own == [line for line in shown if host.is_own(line)]
            first = theirs.index(host.others[0])
            assert host.others == theirs[first : first + len(host.others)]

    def _present(self) -> list[Host]:
        return [host for host in self._hosts if host.screen.process.poll() is None]


def configure(places: Places, program: str, **options: object) -> None:
    """Write the file of options that the unit of ``program`` reads."""
    folder = places.configuration / "techboy"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"TECHBOY_{program.upper()}_{key}={value}\n" for key, value in options.items()]
    (folder / f"{program}.env").write_text("".join(lines))


def numbered(count: int) -> list[str]:
    """Return the first ``count`` lines of any guest."""
    return [f"line {number}" for number in range(1, count + 1)]


def said_by(name: str, lines: Sequence[Line]) -> list[str]:
    """Return what ``name`` said."""
    return [text for _, author, text in lines if author == name]


@pytest.fixture
def service(root: Path) -> Iterator[Service]:
    """Return a service that is ready, and has guests who talk."""
    with ExitStack() as ended:
        yield Service(root, ended)


class Record:
    """The transcript of a service, and what becomes of it."""

    def __init__(self, root: Path) -> None:
        self.path, self._moved = root / "said", root / "said.1"

    def has(self, line: str) -> None:
        """Wait until ``line`` is in it."""
        wait_until(lambda: self.path.exists() and f" {line}\n" in self.path.read_text())

    def moved_away(self) -> None:
        """Let it change your nickname, as by logrotate."""
        self.path.rename(self._moved)

    def differ(self, before: str, after: str) -> bool:
        """Tell whether the one has ``before`` alone and the other ``after``."""
        old, new = self._moved.read_text(), self.path.read_text()
        return before in old and after not in old and before not in new and after in new


def reload(manager: Manager) -> None:
    """Reload the service, and see that it says what systemd is to hear of it, and is the same process."""
    manager.told("READY")
    pid, heard = manager.pid, len(manager.notifications)
    manager.reload()
    assert manager.told("MONOTONIC_USEC").isdecimal()
    manager.told("READY")
    told = [key for each in manager.notifications[heard:] for key in each if key in ("RELOADING", "READY")]
    assert told == ["RELOADING", "READY"]
    assert (manager.state, manager.pid) == (State.ACTIVE, pid)


class StoryTests:
    """What a service goes through."""

    def test_attach(self, service: Service) -> None:
        """At two terminals the host speaks and sees all; one goes, and a third sees what was missed."""
        one, two = service.attach("one"), service.attach("two")
        service.goes_on()
        pid, read = service.manager.pid, one.others[-1]
        one.detaches()
        missed = two.says("is alone")
        service.goes_on()
        three = service.attach("three")
        three.sees(missed)
        service.goes_on()
        service.falls_silent()
        lines = sum(talker.said for talker in service.talkers)
        lines += sum(len(host.own) for host in (one, two, three))
        wait_until(lambda: service.manager.status == f"2 guests, {lines} lines, 0 waiting")
        assert (service.manager.state, service.manager.pid) == (State.ACTIVE, pid)
        service.manager.stop()
        service.see_whole()
        shown = [f"{author}: {text}" for _, author, text in service.logged()]
        assert two.others[0] == shown[0]
        unread = next(dropwhile(one.is_own, shown[shown.index(one.others[-1]) + 1 :]))
        # what comes while the goodbye is on its way is shown to both
        assert shown.index(read) < shown.index(three.others[0]) <= shown.index(unread)

    def test_hangs(self, service: Service) -> None:
        """Stopped in the middle it misses its watchdog, is started again, and everybody goes on."""
        service.attach("one")
        two = service.attach("two")
        service.goes_on()
        manager, pid = service.manager, service.manager.pid
        manager.signal(SIGSTOP)
        said = two.says("said to one that hangs")
        wait_until(lambda: manager.statuses == [-SIGABRT])
        manager.until(State.ACTIVE)
        assert manager.pid != pid
        assert sum("READY" in told for told in manager.notifications) == 2
        service.goes_on()
        two.sees(said)
        service.falls_silent()
        manager.stop()
        service.see_whole()
        assert manager.statuses[1] in TERMINATED

    def test_terminated(self, service: Service) -> None:
        """Told to stop while all talk it tells them, stores what it had taken, and goes on when started."""
        one, two = service.attach("one"), service.attach("two")
        service.goes_on()
        manager, talkers = service.manager, service.talkers
        last_words = one.says("last words")
        manager.stop()
        assert (manager.state, manager.result) == (State.INACTIVE, "success")
        assert manager.statuses[0] in TERMINATED
        assert sum("STOPPING" in told for told in manager.notifications) == 1
        wait_until(lambda: not any(talker.is_connected for talker in talkers))
        logged = service.logged()
        for talker in talkers:
            kept = said_by(talker.name, logged)
            assert talker.stored <= len(kept) <= talker.said
            assert kept == numbered(len(kept))
            assert talker.byes == ["restart"]
        meanwhile = two.says("said meanwhile")
        manager.start()
        two.sees(last_words)
        one.sees(meanwhile)
        service.goes_on()
        service.falls_silent()
        one.detaches()
        two.detaches()
        manager.stop()
        service.see_whole()


class ReloadTests:
    """A reload, as logrotate and operators ask for it."""

    def test_romeo(self, root: Path) -> None:
        """It says RELOADING and READY again; files are opened anew, and nobody is disconnected."""
        with ExitStack() as ended:
            programs, places = ended.enter_context(Screens(root)), Places.of_user(root)
            motd, record = programs.file("motd", "be kind\n"), Record(root)
            configure(places, "romeo", HOST=LOOPBACK, PORT=0, MOTD=motd, TRANSCRIPT=record.path)
            manager = ended.enter_context(Manager(SHIPPED / "user" / "techboy-romeo.service", places))
            manager.start()
            guest = programs.caller(manager.port)
            guest.hears("* be kind\n")
            guest.says("before\n")
            record.has("guest1: before")
            record.moved_away()
            motd.write_text("be kinder\n")
            reload(manager)
            guest.says("after\n")
            record.has("guest1: after")
            programs.caller(manager.port).hears("* be kinder\n")
            assert record.differ("guest1: before", "guest1: after")

    def test_juliet(self, root: Path) -> None:
        """So does she, who hears on meanwhile."""
        with ExitStack() as ended:
            programs, places = ended.enter_context(Screens(root)), Places.of_user(root)
            port, record = programs.romeo(stdin=NULL).port, Record(root)
            configure(places, "juliet", HOST=LOOPBACK, PORT=port, TRANSCRIPT=record.path)
            manager = ended.enter_context(Manager(SHIPPED / "user" / "techboy-juliet.service", places))
            manager.start()
            wait_until(lambda: "Connected to romeo" in manager.said)
            guest = programs.caller(port)
            guest.heard.until(r"2 here: .*\n")
            guest.says("before\n")
            record.has("guest1: before")
            record.moved_away()
            reload(manager)
            guest.says("after\n")
            record.has("guest1: after")
            assert record.differ("guest1: before", "guest1: after")
            assert re.findall("guest1: (.*)", manager.said) == ["before", "after"]
            assert manager.said.count("Connected to romeo") == 1
