"""The record of a conversation that somebody asked for, in a file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from datetime import datetime

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from techboy.chat.conversation import Message, UserInterface
from techboy.chat.room import Room
from techboy.net.connection_log import OutageLogger
from techboy.net.rendering import Delivery
from techboy.ops.background_file import FileWriter
from techboy.wire.lines import LF
from techboy.wire.plain import notice, signed_lines
from techboy.wire.sanitize import encode_safe, sanitize_line

UNKNOWN = "-"
"""What stands for the id of a line where that is not known."""

LIMIT = 4 * 1024 * 1024
"""Bytes that wait for a disk at most."""

_MODE = 0o600


class Transcript:
    """The file ``path``, to which every line said is appended, as are notices.

    ``TIME [ROOM] ID name: text`` is a line said, ``TIME [ROOM] ID ** name text`` one that tells what somebody
    does, ``TIME [ROOM] - * text`` a notice. Everything is cleaned, so that no line can have an end in it.
    ``clock_text`` writes a moment, in seconds since 1970; ``seconds`` returns the present one.

    Making it raises OSError where the file can't be opened. After that it is written in the background: what
    can't be, or finds no room in front of a slow disk, is counted, said once in the log, and again when
    writing works; nobody else notices.
    """

    _log = Logger()

    def __init__(
        self,
        path: str | os.PathLike[str],
        clock_text: Callable[[float], str],
        seconds: Callable[[], float],
    ) -> None:
        self._clock_text, self._seconds = clock_text, seconds
        writing = OutageLogger(
            self._log,
            "the transcript can't be written, {lines} lines so far: {reason}",
            "the transcript is written again; {lines} lines are missing",
        )
        self._file = file = FileWriter(path, _MODE, writing, _lines_in, LIMIT)
        self.report_by, self.settle = file.report_by, file.settle
        self.finish, self.close = file.finish, file.close

    def on_delivery(self, room: Room, delivery: Delivery) -> None:
        """Write down what is new in ``room``, in one piece."""
        place = sanitize_line(room.name)
        news = [self._noted(line, place) for line in delivery.news.recorded()]
        said = [
            self._said(Message(batch.author, batch.text, batch.kind, batch.first, batch.at), place)
            for batch in delivery.batches
        ]
        self._write("".join([*news, *said]))

    def said(self, words: Message) -> None:
        """Write down what was said in a conversation without rooms."""
        self._write(self._said(words))

    def relayed(self, text: str) -> None:
        """Write down lines that say themselves who spoke, joined by LF."""
        self._write(self._lines(text.split("\n"), itertools.repeat(UNKNOWN)))

    def noted(self, text: str) -> None:
        """Write down one line about a conversation without rooms."""
        self._write(self._noted(text))

    def reopen(self) -> Deferred[None]:
        """Go on in a new file, where the old one was moved away.

        Fires when that is done; fails with OSError, and goes on in the old one.
        """
        return self._file.reopen()

    def _said(self, words: Message, place: str = "") -> str:
        lines = signed_lines(sanitize_line(words.author), words.kind, words.text).split("\n")
        ids = map(str, itertools.count(words.first)) if words.first else itertools.repeat(UNKNOWN)
        return self._lines(lines, ids, words.at, place)

    def _noted(self, text: str, place: str = "") -> str:
        return self._lines([notice(sanitize_line(text))], [UNKNOWN], place=place)

    def _lines(self, lines: list[str], ids: Iterable[str], at: float = 0.0, place: str = "") -> str:
        before = f"{self._clock_text(at or self._seconds())} {place}{' ' if place else ''}"
        return "".join([f"{before}{id_} {line}\n" for id_, line in zip(ids, lines, strict=False)])

    def _write(self, text: str) -> None:
        if text:
            self._file.write(encode_safe(text))


def _lines_in(data: bytes) -> int:
    return data.count(LF)


class TranscriptTee:
    """Keyboard and screen ``ui`` of a conversation of two, which is written down in ``transcript`` too.

    What is said here is ``name``'s, until the other end has another name for it. What was said before this
    end came in is left out.
    """

    def __init__(self, ui: UserInterface, transcript: Transcript, name: str) -> None:
        self._ui, self._transcript, self._name = ui, transcript, name

    def show(self, author: str, text: str) -> None:
        """Write down and show what ``author`` said."""
        self._transcript.said(Message(author, text))
        self._ui.show(author, text)

    def show_signed(self, author: str, text: str) -> None:
        """Write down and show lines that say themselves who spoke."""
        self._transcript.relayed(text)
        self._ui.show_signed(author, text)

    def show_message(self, words: Message) -> None:
        """Write down and show what was said."""
        if not words.past:
            self._transcript.said(words)
        self._ui.show_message(words)

    def show_names(self) -> None:
        """Show who speaks; that is always written down."""
        self._ui.show_names()

    def refuse(self, text: str) -> None:
        """Write down and show why a line was not taken."""
        self._note(text)
        self._ui.refuse(text)

    def state(self, text: str) -> None:
        """Write down and show one line about the conversation itself."""
        self._note(text)
        self._ui.state(text)

    def show_prompt(self) -> None:
        """Show that somebody is there to talk to."""
        self._ui.show_prompt()

    def dismiss(self) -> None:
        """Show that nobody is there to talk to."""
        self._ui.dismiss()

    def show_sent(self, text: str, kind: str) -> None:
        """Write down what was said here."""
        self._transcript.said(Message(self._name, text, kind))
        self._ui.show_sent(text, kind)

    def unstored(self, lines: int) -> None:
        """Show how many lines wait."""
        self._ui.unstored(lines)

    def set_nick(self, name: str) -> None:
        """Write down by that name what is said here."""
        self._name = name
        self._ui.set_nick(name)

    def pause(self) -> None:
        """Stop reading what is said here."""
        self._ui.pause()

    def resume(self) -> None:
        """Read on."""
        self._ui.resume()

    def _note(self, text: str) -> None:
        self._transcript.noted(text.removeprefix("* "))


def local_iso(at: float) -> str:
    """Return the local time of the moment ``at`` with its offset, to the second (RFC 3339)."""
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")
