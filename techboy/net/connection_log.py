"""The connection log: events with fields about each connection, which has a short id.

``event`` is the name of the event, and ``connection_id`` the id of the connection. The log never contains
message text; other text from the peer, for example nicknames and reasons, is escaped.
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
"""Characters of a text from the peer that are logged; each becomes ten ASCII characters at most."""

EVENT_LIMIT = 5
"""Events of one connection that are logged besides its start and its end; the others are only counted."""

_DIGITS = string.digits + string.ascii_lowercase


def escaped(text: str) -> str:
    """Return ``text`` as one line of printable ASCII, with escapes as in a Python string.

    Text of more than TEXT_LIMIT characters is cut off, and ``...`` is appended.
    """
    rest = "..." if len(text) > TEXT_LIMIT else ""
    return text[:TEXT_LIMIT].encode("unicode_escape").decode("ascii") + rest


def short_ids() -> Iterator[str]:
    """Yield the numbers from 1 in base 36."""
    return map(_in_base_36, itertools.count(1))


class CloseReason(Enum):
    """Why a connection was closed."""

    PEER_CLOSED = "peer_closed"  # the peer said goodbye
    CLOSED = "closed"  # this end said goodbye
    CONNECTION_LOST = "connection_lost"  # without a goodbye
    PING_TIMEOUT = "ping_timeout"  # the peer sent nothing for too long
    SEND_TIMEOUT = "send_timeout"  # the peer read nothing for too long
    SESSION_REPLACED = "session_replaced"  # its session continues on another connection


class ConnectionPhase(Enum):
    """How far a connection has got."""

    UNKNOWN = auto()
    JOINED = auto()
    REJECTED = auto()
    CLOSED = auto()


class ConnectionLogEntry:
    """The log of one connection: an entry when it has joined or was rejected, and one when it is closed.

    ``lines`` is the number of lines received, which the connection's protocol counts.
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
        """Log that the ``protocol`` of the connection is known."""
        self._protocol = protocol
        self._write(
            "connection {connection_id} uses the {protocol} protocol",
            "protocol_detected",
            LogLevel.debug,
            protocol=protocol,
        )

    def joined(self, name: str, room: str | None, *, resumed: bool = False) -> None:
        """Log that ``name`` has joined ``room``, or resumed its session there; None: there is one room."""
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
        """Log that the connection was rejected for the reason ``why``."""
        self._phase = ConnectionPhase.REJECTED
        self._write(
            "connection {connection_id} with {address} was rejected: {reason}",
            "rejected",
            reason=escaped(why),
        )

    def nick_changed(self, name: str) -> None:
        """Log that the nickname is now ``name``, if it has changed."""
        before, self._name = self._name, escaped(name)
        if before != self._name:
            self._log_event("{old_name} is now {name}", "nick_changed", old_name=before, name=self._name)

    def line_too_long(self, limit: int) -> None:
        """Log that a line of more than ``limit`` bytes was discarded."""
        self._log_event(
            "a line of more than {limit_bytes} bytes was discarded", "line_too_long", limit_bytes=limit
        )

    def throttled(self, rate: int) -> None:
        """Log that the client is throttled to ``rate`` lines a second."""
        self._write(
            "connection {connection_id} of {name} is throttled to {rate} lines a second",
            "throttled",
            name=self._name,
            rate=rate,
        )

    def invalid_frame(self, why: str, level: Any = LogLevel.info) -> None:
        """Log an invalid frame."""
        self._log_event("invalid frame: {reason}", "invalid_frame", level, reason=escaped(why))

    def renumbered(self, lines: int) -> None:
        """Log that ``lines`` get new numbers, because client and server disagree about what is stored."""
        self._log_event(
            "client and server disagree about what is stored: {lines} lines get new numbers",
            "outbox_renumbered",
            LogLevel.warn,
            lines=lines,
        )

    def storage_read_failed(self, why: str) -> None:
        """Log that stored messages cannot be read, which closes the connection."""
        self.closing(CloseReason.CLOSED, why)
        self._log_event(
            "stored messages cannot be read: {reason}",
            "storage_read_failed",
            LogLevel.error,
            reason=escaped(why),
        )

    def failed(self) -> None:
        """Log the exception that is being handled, which closes the connection."""
        self.closing(CloseReason.CLOSED, "an internal error")
        self._log.failure(
            "connection {connection_id}: an internal error",
            event="internal_error",
            connection_id=self.connection,
            address=self._address,
        )

    def closing(self, end: CloseReason, why: str = "") -> None:
        """Note why the connection will be closed; only the first call counts."""
        if self._close_reason is None:
            self._close_reason, self._reason = end, escaped(why)

    def closes(self, why: str) -> None:
        """Note that this end closes for the reason ``why``; FAREWELL answers a goodbye of the peer."""
        self.closing(
            CloseReason.PEER_CLOSED if why == FAREWELL else CloseReason.CLOSED, "" if why == FAREWELL else why
        )

    def closed(self, *, clean: bool) -> None:
        """Log that the connection was closed, or lost if it was not ``clean``; only the first call counts."""
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
    """The log of all connections of a program; ``ids`` yields their ids, by default short ones."""

    _log = Logger()

    def __init__(self, seconds: Callable[[], float], ids: Iterator[str] | None = None) -> None:
        self._seconds, self._ids = seconds, short_ids() if ids is None else ids

    def opened(self, address: str) -> ConnectionLogEntry:
        """Log a new connection from or to ``address``, and return its entry."""
        return ConnectionLogEntry(self._log, self._seconds, next(self._ids), address)


class OutageLogger:
    """Logs the start and the end of an outage, not each failure.

    ``failing`` and ``over`` are log formats with the fields ``lines``, the number of lines lost so far, and
    ``reason``.
    """

    def __init__(self, log: Logger, failing: str, over: str) -> None:
        self._log, self._failing, self._over = log, failing, over
        self._lines: int | None = None

    @property
    def lines(self) -> int:
        """The number of lines lost since the outage began."""
        return self._lines or 0

    def failed(self, why: str, lines: int) -> None:
        """Count ``lines`` as lost, and log the first failure."""
        first, self._lines = self._lines is None, self.lines + lines
        if first:
            self._log.error(self._failing, event="storage_failed", lines=lines, reason=escaped(why))

    def worked(self) -> None:
        """Log the end of an outage, if there was one."""
        if self._lines is not None:
            lines, self._lines = self._lines, None
            self._log.warn(self._over, event="storage_recovered", lines=lines)


class MissingEntries:
    """Counts the entries that ``stream`` did not accept; the log says how many when it accepts some."""

    def __init__(self, log: Logger, stream: str) -> None:
        self._log, self._stream, self._entries = log, stream, 0

    def failed(self, why: str, entries: int) -> None:
        """Count so many ``entries`` as lost."""
        self._entries += entries

    def worked(self) -> None:
        """Log how many entries were lost: entries are written again."""
        entries, self._entries = self._entries, 0
        self._log.warn(
            "{stream}: {entries} entries were dropped",
            event="log_entries_dropped",
            entries=entries,
            stream=self._stream,
        )


def null_log_entry(seconds: Callable[[], float]) -> ConnectionLogEntry:
    """Return an entry of which nothing is logged."""
    return ConnectionLogEntry(Logger(observer=LogPublisher()), seconds, "", "")


def _in_base_36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
