"""A LineReceiver that handles all lines of a chunk at once."""

from __future__ import annotations

from twisted.protocols.basic import LineReceiver

from techboy.net.transport import IStreamTransport
from techboy.wire.lines import LF, exceeds_limit, first_overlong


class BatchReceiver(LineReceiver):
    """`LineReceiver`, with one call for all lines that arrived together.

    Override `linesReceived` for all lines of a chunk, or `lineReceived` for single lines. Everything else is
    as in LineReceiver: ``delimiter`` (LF by default; a CR before an LF does not count towards MAX_LENGTH),
    ``MAX_LENGTH``, `lineLengthExceeded`, `setRawMode`, `setLineMode`, `clearLineBuffer`, `sendLine`,
    `pauseProducing`, `resumeProducing`.
    """

    delimiter = LF
    transport: IStreamTransport
    _unhandled = b""
    _delivering = False

    @property
    def unfinished(self) -> bytes:
        """Received data that was not handled yet: the start of a line, or everything since a pause."""
        return self._unhandled

    def clearLineBuffer(self) -> bytes:
        """Discard received data that was not handled yet, and return it."""
        unhandled, self._unhandled = self._unhandled, b""
        return unhandled

    def dataReceived(self, data: bytes) -> None:
        """Handle the whole lines received so far, or all data in raw mode."""
        self._unhandled = self._unhandled + data if self._unhandled else data
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._unhandled and not self.paused and self._deliver():
                pass
        finally:
            self._delivering = False

    def linesReceived(self, block: bytes) -> None:
        """Handle the lines of ``block``, which are joined by the delimiter, without a last one."""
        lines = block.split(self.delimiter)
        for done, line in enumerate(lines, 1):
            self.lineReceived(line)
            if done < len(lines) and (self.paused or not self.line_mode or self._is_closing()):
                self._unhandled = self.delimiter.join([*lines[done:], self._unhandled])
                return

    def _deliver(self) -> bool:
        """Handle what can be handled; return whether there may be more."""
        if not self.line_mode:
            self.rawDataReceived(self.clearLineBuffer())
            return True
        end = self._unhandled.rfind(self.delimiter) + len(self.delimiter)
        if end < len(self.delimiter):
            return self._check_unfinished()
        overlong = first_overlong(self._unhandled[:end], self.MAX_LENGTH, self.delimiter)
        if overlong == 0:
            self.lineLengthExceeded(self.clearLineBuffer())
            return not self._is_closing()
        if overlong > 0:
            end = overlong
        block, self._unhandled = self._unhandled[: end - len(self.delimiter)], self._unhandled[end:]
        self.linesReceived(block)
        return not self._is_closing()

    def _check_unfinished(self) -> bool:
        if not exceeds_limit(self._unhandled, self.MAX_LENGTH, self.delimiter):
            return False
        self.lineLengthExceeded(self.clearLineBuffer())
        return not self._is_closing()

    def _is_closing(self) -> bool:
        return bool(getattr(self.transport, "disconnecting", False))
