"""The transcript: a file to which all messages and notices are appended (``--transcript``)."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from datetime import datetime

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from techboy.chat.messages import Message
from techboy.chat.room import Room
from techboy.net.connection_log import OutageLogger
from techboy.net.rendering import Delivery
from techboy.ops.background_file import FileWriter
from techboy.terminal.interface import UserInterface
from techboy.wire.lines import LF
from techboy.wire.plain import notice, signed_lines
from techboy.wire.sanitize import encode_safe, sanitize_line

UNKNOWN = "-"
"""Stands for the id of a line if it has none."""

BUFFER_LIMIT = 4 * 1024 * 1024
"""Bytes that may wait to be written."""

_MODE = 0o600


class Transcript:
    """Appends every message and notice to the file ``path``.

    ``TIME [ROOM] ID name: text`` is a text message, ``TIME [ROOM] ID ** name text`` an action,
    ``TIME [ROOM] - * text`` a notice. Everything is sanitized, so that no entry contains a line end.
    ``format_time`` formats a time in seconds since 1970; ``seconds`` returns the current one.

    The constructor raises OSError if the file cannot be opened. After that it is written in the background:
    lines that cannot be written, or exceed `BUFFER_LIMIT` in front of a slow disk, are counted and dropped.
    The log reports the first failure, and the number of missing lines when writing works again.
    """

    _log = Logger()

    def __init__(
        self,
        path: str | os.PathLike[str],
        format_time: Callable[[float], str],
        seconds: Callable[[], float],
    ) -> None:
        self._format_time, self._seconds = format_time, seconds
        writing = OutageLogger(
            self._log,
            "cannot write the transcript, {lines} lines so far: {reason}",
            "writing the transcript works again; {lines} lines are missing",
        )
        self._file = file = FileWriter(path, _MODE, writing, _lines_in, BUFFER_LIMIT)
        self.report_by, self.settle = file.report_by, file.settle
        self.finish, self.close = file.finish, file.close

    def on_delivery(self, room: Room, delivery: Delivery) -> None:
        """Write the notices and messages of one ``delivery`` in ``room`` at once."""
        room_name = sanitize_line(room.name)
        notices = [self._notice_line(line, room_name) for line in delivery.news.recorded()]
        messages = [
            self._message_lines(
                Message(batch.author, batch.text, batch.kind, batch.first, batch.at), room_name
            )
            for batch in delivery.batches
        ]
        self._write("".join([*notices, *messages]))

    def write_message(self, message: Message) -> None:
        """Write the lines of ``message``, which belongs to no room."""
        self._write(self._message_lines(message))

    def write_prefixed_lines(self, text: str) -> None:
        """Write lines that begin with their author's name themselves, joined by LF."""
        self._write(self._format_lines(text.split("\n"), itertools.repeat(UNKNOWN)))

    def write_notice(self, text: str) -> None:
        """Write the notice ``text``, one line, which belongs to no room."""
        self._write(self._notice_line(text))

    def reopen(self) -> Deferred[None]:
        """Continue in a new file if the old one was moved away.

        Fires when that is done. Fails with OSError if the file cannot be opened; writing then continues in
        the old one.
        """
        return self._file.reopen()

    def _message_lines(self, message: Message, room_name: str = "") -> str:
        lines = signed_lines(sanitize_line(message.author), message.kind, message.text).split("\n")
        ids = map(str, itertools.count(message.first)) if message.first else itertools.repeat(UNKNOWN)
        return self._format_lines(lines, ids, message.at, room_name)

    def _notice_line(self, text: str, room_name: str = "") -> str:
        return self._format_lines([notice(sanitize_line(text))], [UNKNOWN], room_name=room_name)

    def _format_lines(
        self, lines: list[str], ids: Iterable[str], at: float = 0.0, room_name: str = ""
    ) -> str:
        before = f"{self._format_time(at or self._seconds())} {room_name}{' ' if room_name else ''}"
        return "".join([f"{before}{id_} {line}\n" for id_, line in zip(ids, lines, strict=False)])

    def _write(self, text: str) -> None:
        if text:
            self._file.write(encode_safe(text))


def _lines_in(data: bytes) -> int:
    return data.count(LF)


class TranscriptTee:
    """A user interface that passes every call on to ``ui``, and writes what is shown to ``transcript``.

    The user's own messages are written under ``name``, until the server assigns another nickname. Messages
    from the history are not written.
    """

    def __init__(self, ui: UserInterface, transcript: Transcript, name: str) -> None:
        self._ui, self._transcript, self._name = ui, transcript, name

    def show_lines(self, author: str, text: str) -> None:
        """Write and show lines of ``author``, joined by LF."""
        self._transcript.write_message(Message(author, text))
        self._ui.show_lines(author, text)

    def show_prefixed_lines(self, author: str, text: str) -> None:
        """Write and show lines that begin with their author's name themselves."""
        self._transcript.write_prefixed_lines(text)
        self._ui.show_prefixed_lines(author, text)

    def show_message(self, message: Message) -> None:
        """Write ``message`` unless it is from the history, and show it."""
        if not message.past:
            self._transcript.write_message(message)
        self._ui.show_message(message)

    def enable_author_names(self) -> None:
        """Show the author of each message from now on; the transcript always contains it."""
        self._ui.enable_author_names()

    def show_rejection(self, text: str) -> None:
        """Write and show why the server rejected a line."""
        self._write_notice(text)
        self._ui.show_rejection(text)

    def show_status(self, text: str) -> None:
        """Write and show one line about the connection or the conversation."""
        self._write_notice(text)
        self._ui.show_status(text)

    def show_prompt(self) -> None:
        """Show that the server is connected."""
        self._ui.show_prompt()

    def hide_prompt(self) -> None:
        """Show that the server is not connected."""
        self._ui.hide_prompt()

    def show_sent(self, text: str, kind: str) -> None:
        """Write the user's own lines, and show them as pending."""
        self._transcript.write_message(Message(self._name, text, kind))
        self._ui.show_sent(text, kind)

    def set_pending_lines(self, lines: int) -> None:
        """Show how many of the user's last lines are not acknowledged."""
        self._ui.set_pending_lines(lines)

    def set_nick(self, name: str) -> None:
        """Use ``name`` for the user's own messages from now on."""
        self._name = name
        self._ui.set_nick(name)

    def pause(self) -> None:
        """Stop reading the input."""
        self._ui.pause()

    def resume(self) -> None:
        """Continue reading the input."""
        self._ui.resume()

    def _write_notice(self, text: str) -> None:
        self._transcript.write_notice(text.removeprefix("* "))


def local_iso(at: float) -> str:
    """Return ``at``, in seconds since 1970, as local time with its UTC offset, to the second (RFC 3339)."""
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")
