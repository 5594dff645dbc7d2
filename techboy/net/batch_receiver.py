"""A LineReceiver that takes a whole chunk of lines at once."""

from __future__ import annotations

from typing import Any

from twisted.protocols.basic import LineReceiver

from techboy.wire.lines import LF, exceeds_limit, first_overlong


class BatchReceiver(LineReceiver):
    """`LineReceiver`, with one call for all the lines that arrived together.

    Override `linesReceived` for the lines of a chunk; what overrides only `lineReceived` gets them one
    by one, as from LineReceiver. The rest is LineReceiver's contract: ``delimiter`` (here LF by default; a
    CR before an LF does not count towards MAX_LENGTH), ``MAX_LENGTH``, `lineLengthExceeded`,
    `setRawMode`, `setLineMode`, `clearLineBuffer`, `sendLine`, `pauseProducing`, `resumeProducing`.
    """

    delimiter = LF
    transport: Any  # TCP, TLS, UNIX or stdio: no one interface of Twisted's has all that they share
    _unread = b""
    _reading = False

    @property
    def unfinished(self) -> bytes:
        """What has arrived and was not delivered: the beginning of a line, or all since a pause."""
        return self._unread

    def clearLineBuffer(self) -> bytes:
        """Forget what has arrived and was not delivered, and return it."""
        unread, self._unread = self._unread, b""
        return unread

    def dataReceived(self, data: bytes) -> None:
        """Deliver the whole lines of what has arrived, or all of it in raw mode."""
        self._unread = self._unread + data if self._unread else data
        if self._reading:
            return
        self._reading = True
        try:
            while self._unread and not self.paused and self._deliver():
                pass
        finally:
            self._reading = False

    def linesReceived(self, block: bytes) -> None:
        """Lines arrived: ``block``, joined by the delimiter, without the last one's."""
        lines = block.split(self.delimiter)
        for done, line in enumerate(lines, 1):
            self.lineReceived(line)
            if done < len(lines) and (self.paused or not self.line_mode or self._is_closing()):
                self._unread = self.delimiter.join([*lines[done:], self._unread])
                return

    def _deliver(self) -> bool:
        """Deliver what can be; return whether there may be more to do."""
        if not self.line_mode:
            self.rawDataReceived(self.clearLineBuffer())
            return True
        end = self._unread.rfind(self.delimiter) + len(self.delimiter)
        if end < len(self.delimiter):
            return self._refuse_outgrown()
        overlong = first_overlong(self._unread[:end], self.MAX_LENGTH, self.delimiter)
        if overlong == 0:
            self.lineLengthExceeded(self.clearLineBuffer())
            return not self._is_closing()
        if overlong > 0:
            end = overlong
        block, self._unread = self._unread[: end - len(self.delimiter)], self._unread[end:]
        self.linesReceived(block)
        return not self._is_closing()

    def _refuse_outgrown(self) -> bool:
        if not exceeds_limit(self._unread, self.MAX_LENGTH, self.delimiter):
            return False
        self.lineLengthExceeded(self.clearLineBuffer())
        return not self._is_closing()

    def _is_closing(self) -> bool:
        return bool(getattr(self.transport, "disconnecting", False))
