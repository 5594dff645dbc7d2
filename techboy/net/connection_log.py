"""What an operator can read afterwards about connections: events with fields, and a short id for each.

An event says in ``event`` what happened, and in ``connection_id`` to which of them. Nothing that was said is
ever in it; what comes from the other end otherwise, as names and reasons, is escaped.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Any

from twisted.logger import Logger, LogLevel, LogPublisher

from techboy.chat.commands import FAREWELL

TEXT_LIMIT = 200
"""Characters of a text from elsewhere that are written, each as ten of ASCII at most."""

EVENT_LIMIT = 5
"""Events between the beginning and the end of a connection that are written; the others are only counted."""

_DIGITS = string.digits + string.ascii_lowercase


def escaped(text: str) -> str:
    """Return ``text`` as one line of printable ASCII, where a backslash is two.

    All else is an escape as in a Python string. Of more than TEXT_LIMIT characters the rest is ``...``.
    """
    rest = "..." if len(text) > TEXT_LIMIT else ""
    return text[:TEXT_LIMIT].encode("unicode_escape").decode("ascii") + rest


def short_ids() -> Iterator[str]:
    """Count from 1 in base 36."""
    return map(_in_base_36, itertools.count(1))


class CloseReason(Enum):
    """Why a connection is at its end."""

    PEER_CLOSED = "peer_closed"  # the other end said goodbye
    CLOSED = "closed"  # this end said goodbye
    CONNECTION_LOST = "connection_lost"  # nobody said goodbye
    PING_TIMEOUT = "ping_timeout"  # the other end was not heard for too long
    SEND_TIMEOUT = "send_timeout"  # the other end took nothing for too long
    SESSION_REPLACED = "session_replaced"  # its session goes on by another connection


class ConnectionPhase(Enum):
    """What became of a connection."""

    UNKNOWN = auto()
    JOINED = auto()
    REJECTED = auto()
    CLOSED = auto()


class ConnectionLogEntry:
    """What is written about one connection: a line when it came in or was turned away, one at its end.

    ``lines``: how many lines came by it, as far as somebody counts them.
    """

    __slots__ = (
        "_address",
        "_close_reason",
        "_events",
        "_log",
        "_name",
        "_opened_at",
        "_phase",
        "_protocol",
        "_reason",
        "_seconds",
        "connection",
        "lines",
    )

    def __init__(self, log: Logger, seconds: Callable[[], float], connection: str, address: str) -> None:
        self.connection, self.lines = connection, 0
        self._log, self._seconds, self._opened_at = log, seconds, seconds()
        self._address, self._protocol, self._name = escaped(address), "", ""
        self._phase, self._events = ConnectionPhase.UNKNOWN, 0
        self._close_reason: CloseReason | None = None
        self._reason = ""
        self._write("connection {connection_id} with {address}", "connection_opened", LogLevel.debug)

    def protocol_detected(self, protocol: str) -> None:
        """It is known which protocol is spoken."""
        self._protocol = protocol
        self._write(
            "connection {connection_id} uses the {protocol} protocol",
            "protocol_detected",
            LogLevel.debug,
            protocol=protocol,
        )

    def joined(self, name: str, room: str | None, *, resumed: bool = False) -> None:
        """Somebody called ``name`` came in, or came ``back``; ``room`` is None where there are none."""
        self._phase, self._name = ConnectionPhase.JOINED, escaped(name)
        event = "resumed" if resumed else "joined"
        where = "" if room is None else " in {room}" if resumed else " {room}"
        self._write(
            f"connection {{connection_id}} with {{address}}: {{name}} {event}{where} ({{protocol}})",
            event,
            name=self._name,
            room=None if room is None else escaped(room),
            protocol=self._protocol,
        )

    def rejected(self, why: str) -> None:
        """Nobody came in."""
        self._phase = ConnectionPhase.REJECTED
        self._write(
            "connection {connection_id} with {address} was rejected: {reason}",
            "rejected",
            reason=escaped(why),
        )

    def nick_changed(self, name: str) -> None:
        """Whoever came in is called ``name``, as before or from now on."""
        before, self._name = self._name, escaped(name)
        if before != self._name:
            self._log_event("{old_name} is now {name}", "nick_changed", old_name=before, name=self._name)

    def line_too_long(self, most: int) -> None:
        """There was a line of more than ``most`` bytes."""
        self._log_event(
            "a line of more than {limit_bytes} bytes was discarded", "line_too_long", limit_bytes=most
        )

    def throttled(self, rate: int) -> None:
        """Lines are taken more slowly than they are sent: ``rate`` a second."""
        self._write(
            "connection {connection_id} of {name} is throttled to {rate} lines a second",
            "throttled",
            name=self._name,
            rate=rate,
        )

    def invalid_frame(self, why: str, level: Any = LogLevel.info) -> None:
        """There was something that could not be understood."""
        self._log_event("invalid frame: {reason}", "invalid_frame", level, reason=escaped(why))

    def renumbered(self, lines: int) -> None:
        """The ends disagreed about what is stored: ``lines`` that wait are sent again under new numbers."""
        self._log_event(
            "client and server disagree about what is stored: {lines} lines get new numbers",
            "outbox_renumbered",
            LogLevel.warn,
            lines=lines,
        )

    def storage_read_failed(self, why: str) -> None:
        """What was said can't be read from where it is kept, which ends the connection."""
        self.closing(CloseReason.CLOSED, why)
        self._log_event(
            "stored messages cannot be read: {reason}",
            "storage_read_failed",
            LogLevel.error,
            reason=escaped(why),
        )

    def failed(self) -> None:
        """An exception that nobody foresaw, and that is being handled, ends the connection."""
        self.closing(CloseReason.CLOSED, "an internal error")
        self._log.failure(
            "connection {connection_id}: an internal error",
            event="internal_error",
            connection_id=self.connection,
            address=self._address,
        )

    def closing(self, end: CloseReason, why: str = "") -> None:
        """It will be at its end; the first who says so knows best."""
        if self._close_reason is None:
            self._close_reason, self._reason = end, escaped(why)

    def closes(self, why: str) -> None:
        """It is closed here, saying ``why``; a FAREWELL answers the other end's."""
        self.closing(
            CloseReason.PEER_CLOSED if why == FAREWELL else CloseReason.CLOSED, "" if why == FAREWELL else why
        )

    def closed(self, *, clean: bool) -> None:
        """It is gone: closed in good order (``clean``), or broken. Once is enough."""
        phase, self._phase = self._phase, ConnectionPhase.CLOSED
        if phase is ConnectionPhase.CLOSED:
            return
        self.closing(CloseReason.PEER_CLOSED if clean else CloseReason.CONNECTION_LOST)
        assert self._close_reason is not None
        whose = " of {name}" if self._name else ""
        why = ": {reason}" if self._reason else ""
        self._write(
            f"connection {{connection_id}}{whose} closed after {{duration_seconds}} s, "
            f"{{lines_received}} lines received: {{close_reason}}{why}",
            "connection_closed",
            LogLevel.debug if phase is ConnectionPhase.REJECTED else LogLevel.info,
            name=self._name,
            close_reason=self._close_reason.value,
            reason=self._reason,
            duration_seconds=round(self._seconds() - self._opened_at, 1),
            lines_received=self.lines,
            suppressed=max(self._events - EVENT_LIMIT, 0),
        )

    def _log_event(self, text: str, event: str, level: Any = LogLevel.info, **fields: object) -> None:
        self._events += 1
        if self._events <= EVENT_LIMIT:
            more = "" if self._events < EVENT_LIMIT else "; further events of this kind are suppressed"
            self._write(f"connection {{connection_id}}: {text}{more}", event, level, **fields)

    def _write(self, text: str, event: str, level: Any = LogLevel.info, **fields: object) -> None:
        self._log.emit(
            level, text, event=event, connection_id=self.connection, address=self._address, **fields
        )


class ConnectionLog:
    """The records of all connections of a program; ``ids`` has an id for each, by default a short one."""

    _log = Logger()

    def __init__(self, seconds: Callable[[], float], ids: Iterator[str] | None = None) -> None:
        self._seconds, self._ids = seconds, short_ids() if ids is None else ids

    def opened(self, address: str) -> ConnectionLogEntry:
        """There is a connection with ``address``: return what is written about it."""
        return ConnectionLogEntry(self._log, self._seconds, next(self._ids), address)


class OutageLogger:
    """Something that fails again and again: written when it begins and when it is over, not each time.

    ``failing`` and ``over`` are formats, of ``lines``, how many are missing so far, and ``reason``.
    """

    def __init__(self, log: Logger, failing: str, over: str) -> None:
        self._log, self._failing, self._over = log, failing, over
        self._lines: int | None = None

    @property
    def lines(self) -> int:
        """How many lines are missing since it began."""
        return self._lines or 0

    def failed(self, why: str, lines: int) -> None:
        """It failed, for so many lines."""
        first, self._lines = self._lines is None, self.lines + lines
        if first:
            self._log.error(self._failing, event="storage_failed", lines=lines, reason=escaped(why))

    def worked(self) -> None:
        """It did not fail."""
        if self._lines is not None:
            lines, self._lines = self._lines, None
            self._log.warn(self._over, event="storage_recovered", lines=lines)


class MissingEntries:
    """Counts the entries that ``stream`` did not accept; the log says how many when it accepts some."""

    def __init__(self, log: Logger, stream: str) -> None:
        self._log, self._stream, self._entries = log, stream, 0

    def failed(self, why: str, entries: int) -> None:
        """So many could not be written."""
        self._entries += entries

    def worked(self) -> None:
        """All that came since could be."""
        entries, self._entries = self._entries, 0
        self._log.warn(
            "{stream}: {entries} entries were dropped",
            event="log_entries_dropped",
            entries=entries,
            stream=self._stream,
        )


def null_log_entry(seconds: Callable[[], float]) -> ConnectionLogEntry:
    """Return a record of which nothing is written."""
    return ConnectionLogEntry(Logger(observer=LogPublisher()), seconds, "", "")


def _in_base_36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
