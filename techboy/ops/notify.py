"""What a service manager is told, and how often it wants to hear: sd_notify(3), sd_watchdog_enabled(3)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from twisted.logger import Logger

from techboy.wire.sanitize import sanitize_line

LONGEST_STATUS = 200
"""Characters of a status; a service manager reads 4096 bytes at a time, and shows one line."""

_MICROSECONDS = 1_000_000
_DIGITS = 20  # of the longest number of 64 bits
_log = Logger()


class Notifier:
    """Tells the service manager that ``$NOTIFY_SOCKET`` in ``environment`` names, or nobody.

    Nothing here waits or raises. A method returns whether the service manager was told: it is not where
    there is none, where it is gone, and while it has more to read than it can hold.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address, self._status = _address(environment), ""
        self._socket = None if self._address is None else _datagram_socket()

    @property
    def has_listener(self) -> bool:
        """Whether there is a service manager to be told anything."""
        return self._socket is not None

    def ready(self, status: str) -> bool:
        """Everything is open; or what was changed is in effect."""
        return self._tell("READY=1", status=status)

    def status(self, status: str) -> bool:
        """Say in one line how it is, unless that was the last thing said."""
        return _status(status) == self._status or self._tell(status=status)

    def reloading(self, monotonic_usec: int) -> bool:
        """What was changed is about to take effect; `ready` has to follow. When: of CLOCK_MONOTONIC."""
        return self._tell("RELOADING=1", f"MONOTONIC_USEC={monotonic_usec}")

    def stopping(self, status: str) -> bool:
        """The program is about to end."""
        return self._tell("STOPPING=1", status=status)

    def watchdog(self) -> bool:
        """The program is alive."""
        return self._tell("WATCHDOG=1")

    def close(self) -> None:
        """Tell nobody any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, *assignments: str, status: str | None = None) -> bool:
        if self._socket is None or self._address is None:
            return False
        lines = list(assignments)
        if status is not None:
            lines.append(f"STATUS={_status(status)}")
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError:  # it is gone, or has not read what was said before
            return False
        if status is not None:
            self._status = _status(status)
        return True


def watchdog_seconds(environment: Mapping[str, str], pid: int) -> float | None:
    """Return after how many seconds without a word the process ``pid`` is taken for hung; None: never.

    ``$WATCHDOG_USEC`` says it, to the process that ``$WATCHDOG_PID`` names if it names any. What can't be
    understood is left alone, which is logged.
    """
    microseconds, named = (_number(environment, name) for name in ("WATCHDOG_USEC", "WATCHDOG_PID"))
    return microseconds / _MICROSECONDS if microseconds and named in (None, pid) else None


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    if text.isascii() and text.isdecimal() and len(text) <= _DIGITS:
        return int(text)
    if text:
        _log.warn(
            "${name} is not a number that can be used: {text!r}",
            event="environment_invalid",
            name=name,
            text=text,
        )
    return None


def _address(environment: Mapping[str, str]) -> bytes | None:
    """Return where the service manager listens: a path, or a name (``@``) in Linux' abstract namespace."""
    address = environment.get("NOTIFY_SOCKET", "")
    if address.startswith("@") and len(address) > 1:
        return b"\0" + os.fsencode(address[1:])
    if address.startswith("/"):
        return os.fsencode(address)
    if address:
        _log.warn(
            "$NOTIFY_SOCKET is neither a path nor an abstract name: {address!r}",
            event="environment_invalid",
            address=address,
        )
    return None


def _status(text: str) -> str:
    return sanitize_line(text)[:LONGEST_STATUS]


def _datagram_socket() -> socket.socket | None:
    family = getattr(socket, "AF_UNIX", None)
    if family is None:  # as on Windows
        return None
    try:
        opened = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        _log.warn("the service manager cannot be notified: {reason}", event="notify_failed", reason=error)
        return None
    opened.setblocking(False)
    return opened
