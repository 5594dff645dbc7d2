"""What is on its way to a terminal: written as fast as it takes it, without ever waiting for it.

A terminal that does not take what is written (a stopped emulator, a slow line) would stop the program at the
next write. Non-blocking, the descriptor would be so for everybody who shares it, so the terminal is opened
once more; where that can't be done, it is asked before each small piece.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from contextlib import ExitStack
from enum import Enum, auto

PIECE = 4096
"""Bytes written at a time to a descriptor of our own."""

SMALL_PIECE = 256
"""Bytes written at a time to one that is shared: what a terminal has room for when it says that it has."""


class WriterState(Enum):
    """Whether the terminal takes what is written."""

    FREE = auto()
    STUCK = auto()  # it has no room; what waits is written when it has
    GONE = auto()  # it does not exist any more, or is not used any more


class NonBlockingWriter:
    """Text for the terminal that ``descriptor`` leads to, in its order; it looks like a text stream.

    ``written`` is called when all of it is written, ``lost`` once, when the terminal turns out to be gone.
    All is written in the turn of the asyncio loop after the one in which it came, together.
    """

    encoding = "utf-8"

    def __init__(self, descriptor: int, written: Callable[[], None], lost: Callable[[], None]) -> None:
        self._shared, self._written, self._lost = descriptor, written, lost
        self._opened = ExitStack()
        own = _opened_again(descriptor)
        self._piece = SMALL_PIECE if own is None else PIECE
        self._descriptor = os.dup(descriptor) if own is None else own
        self._opened.callback(os.close, self._descriptor)
        self._data = bytearray()
        self._way = WriterState.FREE
        self._turn: asyncio.Handle | None = None

    @property
    def stuck(self) -> bool:
        """Whether the terminal took nothing more when it was last tried."""
        return self._way is WriterState.STUCK

    @property
    def unwritten(self) -> int:
        """How many bytes wait."""
        return len(self._data)

    def put(self, data: bytes) -> None:
        """Write ``data`` soon."""
        if self._way is WriterState.GONE:
            return
        self._data += data
        if self._turn is None and self._way is WriterState.FREE:
            self._turn = asyncio.get_running_loop().call_soon(self._push)

    def close(self) -> None:
        """Write nothing any more."""
        self._leave(WriterState.GONE)
        self._opened.close()

    # what a text stream has

    def write(self, text: str) -> int:
        """Write ``text`` soon."""
        self.put(text.encode("utf-8", "replace"))
        return len(text)

    def flush(self) -> None:
        """Nothing can be hurried."""

    def fileno(self) -> int:
        """Return the descriptor that the terminal was given by."""
        return self._shared

    def isatty(self) -> bool:
        """Tell that it is a terminal."""
        return True

    def _push(self) -> None:
        self._turn = None
        try:
            while self._data and self._has_room():
                del self._data[: os.write(self._descriptor, self._data[: self._piece])]
        except BlockingIOError:
            pass
        except OSError:
            self._leave(WriterState.GONE)
            self._lost()
            return
        if self._data:
            self._wait()
        else:
            self._leave(WriterState.FREE)
            self._written()

    def _has_room(self) -> bool:
        return bool(select.select([], [self._descriptor], [], 0)[1])

    def _wait(self) -> None:
        if self._way is WriterState.FREE:
            self._way = WriterState.STUCK
            asyncio.get_running_loop().add_writer(self._descriptor, self._push)

    def _leave(self, way: WriterState) -> None:
        if self._way is WriterState.STUCK:
            asyncio.get_running_loop().remove_writer(self._descriptor)
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if way is WriterState.GONE:
            self._data.clear()
        self._way = WriterState.GONE if self._way is WriterState.GONE else way


def _opened_again(descriptor: int) -> int | None:
    """Return another, non-blocking descriptor of the same terminal, None where that can't be had."""
    try:
        own = os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return None
    if os.path.samestat(os.fstat(own), os.fstat(descriptor)):
        return own
    os.close(own)
    return None
