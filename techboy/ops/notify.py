"""Notifications to the service manager, and its watchdog: sd_notify(3), sd_watchdog_enabled(3)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from twisted.logger import Logger

from techboy.wire.sanitize import sanitize_line

MAX_STATUS_LENGTH = 200
"""Characters of a status; a service manager reads at most 4096 bytes, and shows one line."""

_MICROSECONDS = 1_000_000
_DIGITS = 20  # of the largest 64-bit number
_log = Logger()


class Notifier:
    """Notifies the service manager at ``$NOTIFY_SOCKET`` in ``environment``, if that is set.

    No method blocks or raises. Each returns whether the notification was sent: it is not if there is no
    service manager, if it is gone, or while its receive buffer is full.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address, self._status = _address(environment), ""
        self._socket = None if self._address is None else _datagram_socket()

    @property
    def has_listener(self) -> bool:
        """Whether there is a service manager to notify."""
        return self._socket is not None

    def ready(self, status: str) -> bool:
        """Report that the program has started, or that a reload is complete."""
        return self._send("READY=1", status=status)

    def status(self, status: str) -> bool:
        """Send the one-line ``status`` if it differs from the last one sent."""
        return _status(status) == self._status or self._send(status=status)

    def reloading(self, monotonic_usec: int) -> bool:
        """Report that a reload begins, at ``monotonic_usec`` of CLOCK_MONOTONIC; `ready` has to follow."""
        return self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic_usec}")

    def stopping(self, status: str) -> bool:
        """Report that the program is shutting down."""
        return self._send("STOPPING=1", status=status)

    def watchdog(self) -> bool:
        """Send a watchdog keepalive."""
        return self._send("WATCHDOG=1")

    def close(self) -> None:
        """Close the socket; nothing is sent any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *assignments: str, status: str | None = None) -> bool:
        if self._socket is None or self._address is None:
            return False
        lines = list(assignments)
        if status is not None:
            lines.append(f"STATUS={_status(status)}")
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError:  # it is gone, or has not read earlier notifications
            return False
        if status is not None:
            self._status = _status(status)
        return True


def watchdog_seconds(environment: Mapping[str, str], pid: int) -> float | None:
    """Return the watchdog timeout of the process ``pid`` in seconds, None if it has none.

    ``$WATCHDOG_USEC`` holds it, for the process ``$WATCHDOG_PID`` only, if that is set. Invalid values are
    logged and ignored.
    """
    microseconds, named = (_number(environment, name) for name in ("WATCHDOG_USEC", "WATCHDOG_PID"))
    return microseconds / _MICROSECONDS if microseconds and named in (None, pid) else None


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    if text.isascii() and text.isdecimal() and len(text) <= _DIGITS:
        return int(text)
    if text:
        _log.warn(
            "invalid ${name} {text!r}: expected a number of at most 20 digits",
            event="environment_invalid",
            name=name,
            text=text,
        )
    return None


def _address(environment: Mapping[str, str]) -> bytes | None:
    """Return the service manager's address: a path, or a name (``@``) in Linux' abstract namespace."""
    address = environment.get("NOTIFY_SOCKET", "")
    if address.startswith("@") and len(address) > 1:
        return b"\0" + os.fsencode(address[1:])
    if address.startswith("/"):
        return os.fsencode(address)
    if address:
        _log.warn(
            "invalid $NOTIFY_SOCKET {address!r}: expected an absolute path or @NAME",
            event="environment_invalid",
            address=address,
        )
    return None


def _status(text: str) -> str:
    return sanitize_line(text)[:MAX_STATUS_LENGTH]


def _datagram_socket() -> socket.socket | None:
    family = getattr(socket, "AF_UNIX", None)
    if family is None:  # for example on Windows
        return None
    try:
        opened = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        _log.warn("the service manager cannot be notified: {reason}", event="notify_failed", reason=error)
        return None
    opened.setblocking(False)
    return opened
