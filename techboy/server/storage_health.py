"""Whether the storage works: its last error, probes after a failure, and what the log says of it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from techboy.net.connection_log import OutageLogger, escaped
from techboy.storage.interface import StorageError

PROBE_INTERVAL = 5.0
"""Seconds from a failed commit until the storage is probed."""

READ_ERROR_INTERVAL = 60.0
"""Least seconds between two log entries about stored messages that cannot be read."""

_FAILING = "messages cannot be stored, {lines} lines so far: {reason}"
_RECOVERED = "messages are stored again; {lines} lines were not"


class StorageHealth:
    """The state of the storage.

    ``error`` is the reason why the last commit failed, or None if it succeeded or if there was none.
    ``probe`` is called `PROBE_INTERVAL` seconds after a failed commit if there is still an error. It may
    commit something; the outcome is then reported like that of any other commit.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, probe: Callable[[], None]) -> None:
        self._clock, self._probe = clock, probe
        self.error: str | None = None
        self._outage = OutageLogger(self._log, _FAILING, _RECOVERED)
        self._read_error_at: float | None = None
        self._next_probe: IDelayedCall | None = None

    def commit_succeeded(self) -> None:
        """Clear the error, and log the end of an outage."""
        self.error = None
        self._outage.worked()

    def commit_failed(self, error: StorageError, lines: int) -> None:
        """Keep ``error``, schedule a probe, and log the start of an outage; ``lines`` were not stored."""
        self.error = str(error)
        self._outage.failed(str(error), lines)
        if self._next_probe is None:
            self._next_probe = self._clock.callLater(PROBE_INTERVAL, self._run_probe)

    def report_read_error(self, error: StorageError) -> None:
        """Log ``error``, at most once in `READ_ERROR_INTERVAL` seconds."""
        now = self._clock.seconds()
        if self._read_error_at is None or now - self._read_error_at >= READ_ERROR_INTERVAL:
            self._read_error_at = now
            self._log.error(
                "stored messages cannot be read: {reason}",
                event="storage_read_failed",
                reason=escaped(str(error)),
            )

    def close(self) -> None:
        """Cancel the next probe."""
        if self._next_probe is not None and self._next_probe.active():
            self._next_probe.cancel()

    def _run_probe(self) -> None:
        self._next_probe = None
        if self.error is not None:
            self._probe()
