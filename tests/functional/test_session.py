"""The session in ``docs/session.rst``, played by the real programs: the screens are what the page has.

When they change on purpose, ``TECHBOY_SESSION=print pytest tests/functional/test_session.py`` prints the new
ones, to be put into the page, instead of comparing, and fails.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from tests.functional.programs import LOOPBACK, NULL, SHELL, TWIST, NativePeer
from tests.functional.screens import Screen, Screens
from tests.screen import ENTER

PAGE = Path(__file__).parents[2] / "docs" / "session.rst"
ROWS, COLUMNS = 14, 72
PORT = 4444  # in the page

PRINTS = os.environ.get("TECHBOY_SESSION") == "print"
STILL = 3.0  # seconds for which a screen has to stand still to be printed

_BLOCK = re.compile(r"::\n((?:\n| {4}.*\n)+)")
_PORT = re.compile(r"(--port |127\.0\.0\.1:|'127\.0\.0\.1', )\d+")
_DIFFERENT = (
    (re.compile(r"\b\d\d:\d\d\b"), "HH:MM"),
    (_PORT, r"\1PORT"),
    (re.compile(r"\bfor \d+ (s|min)\b"), "for TIME"),
    (re.compile(r", last heard \d+ (s|min) ago\b"), ""),  # which a slow computer adds
)


def screens_of(page: str) -> list[list[str]]:
    """Return the rows of each screen in the page: its literal blocks."""
    return [
        [line.removeprefix("    ") for line in block.strip("\n").split("\n")]
        for block in _BLOCK.findall(page)
    ]


def told(rows: list[str]) -> list[str]:
    """Return ``rows`` without what is another each time: times, ports, and how long something lasts."""
    for pattern, word in _DIFFERENT:
        rows = [pattern.sub(word, row) for row in rows]
    return rows


def until_still(screen: Screen) -> list[str]:
    """Return what is to be seen when it does not change any more."""
    seen, since = told(screen.rows), time.monotonic()

    def still(rows: list[str]) -> bool:
        nonlocal seen, since
        if told(rows) != seen:
            seen, since = told(rows), time.monotonic()
        return time.monotonic() > since + STILL

    return screen.until(still)


class Neighbour:
    """Somebody else in the house."""

    def __init__(self, peer: NativePeer, name: str) -> None:
        self._peer = peer
        peer.tells({"type": "hello", "version": 1, "name": name})
        self._next: int = peer.told("welcome")["next_seq"]

    def says(self, *lines: str) -> None:
        """Say ``lines``; they are stored when this is over."""
        self._peer.tells({"type": "message", "kind": "text", "text": "\n".join(lines), "seq": self._next})
        self._next += len(lines)
        self.has_stored()

    def has_stored(self) -> None:
        """Wait until all is stored that was said."""
        while self._peer.told("ack")["next_seq"] != self._next:
            pass

    def hears(self, line: str) -> None:
        """Wait until somebody says ``line``."""
        while line not in self._peer.told("message")["text"].split("\n"):
            pass


class Session:
    """Juliet at a shell; each `shows` is the next screen of the page."""

    def __init__(self, screens: Screens) -> None:
        self._blocks = screens_of(PAGE.read_text("utf-8"))
        noon = f"VER{time.gmtime().tm_hour - 12:+d}"  # the day does not change while this is played
        path = f"{TWIST.parent}{os.pathsep}{os.environ['PATH']}"
        shell = ("/usr/bin/env", "-u", "ENV", "PS1=$ ", f"TZ={noon}", f"PATH={path}", SHELL, "-i")
        self.juliet = screens.on_screen(*shell, rows=ROWS, columns=COLUMNS)

    def shows(self) -> None:
        """See the next screen."""
        if PRINTS:
            print(
                "\n".join([_PORT.sub(rf"\g<1>{PORT}", row) for row in until_still(self.juliet)]), end="\n\n"
            )
            return
        expected = told(self._blocks.pop(0))
        self.juliet.until(lambda rows: told(rows) == expected)

    def ends(self) -> None:
        """See that this is all that the page has."""
        assert not PRINTS, "the screens were printed, not compared"
        assert not self._blocks


class SessionTests:
    """What a newcomer is told about the prompt."""

    def test_session(self, screens: Screens) -> None:
        """Juliet types while lines come in, is cut off and back, is mentioned, pastes, and leaves."""
        romeo = screens.romeo("--state", "romeo", stdin=NULL)
        port = romeo.port
        nurse, mercutio = (Neighbour(screens.native_caller(port), name) for name in ("nurse", "mercutio"))
        nurse.says("is anybody up?")
        line = screens.relay(port)
        session = Session(screens)
        juliet = session.juliet
        juliet.shows("$")

        juliet.writes(f"twist juliet --host {LOOPBACK} --port {line.port}{ENTER}")
        juliet.shows("nurse: is anybody up?")
        mercutio.says("it is the east")
        juliet.writes("what light thr")
        session.shows()

        nurse.says("lady, come in", "your mother calls")
        session.shows()

        line.close()
        juliet.shows("no answer")
        juliet.writes(f"ough yonder window breaks?{ENTER}anon, good nurse!{ENTER}")
        session.shows()

        mercutio.says("she speaks")
        nurse.says("she does not")
        line = screens.relay(port, line.port)
        juliet.writes(ENTER)
        mercutio.hears("anon, good nurse!")
        session.shows()

        nurse.says("Juliet! make haste")
        session.shows()
        assert juliet.emulator.bells == 1

        juliet.pastes("my bounty is\ras boundless\ras the sea\r")
        session.shows()

        juliet.writes("y")
        mercutio.hears("as the sea")
        juliet.shows("juliet: as the sea")
        juliet.writes(f"exit{ENTER}")
        session.shows()
        assert juliet.is_as_before
        session.ends()
