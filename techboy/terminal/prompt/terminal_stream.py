"""A terminal as the text stream that the outputs of prompt_toolkit require."""

from __future__ import annotations


class TerminalStream:
    """The terminal ``descriptor``, to which a subclass writes bytes."""

    encoding = "utf-8"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write_bytes(self, data: bytes) -> None:
        """Write ``data`` unchanged."""
        raise NotImplementedError

    def write(self, text: str) -> int:
        """Write ``text``; return its length."""
        self.write_bytes(text.encode("utf-8", "replace"))
        return len(text)

    def flush(self) -> None:
        """Do nothing: output is written as soon as possible."""

    def fileno(self) -> int:
        """Return the descriptor passed to the constructor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return True: it is a terminal."""
        return True
