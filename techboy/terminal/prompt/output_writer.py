"""Output to a terminal that never blocks.

If a terminal does not accept output (a stopped emulator, a slow line), a write blocks the program. Making the
descriptor non-blocking would affect all processes that share it, so the terminal is opened again; if that
fails, the descriptor is polled before each small write.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from contextlib import ExitStack
from enum import Enum, auto

from techboy.terminal.prompt.terminal_stream import TerminalStream

PIECE = 4096
"""Bytes of one write to a descriptor of our own."""

SMALL_PIECE = 256
"""Bytes of one write to a shared descriptor: what a terminal can accept if it is reported as writable."""


class WriterState(Enum):
    """Whether the terminal accepts output."""

    FREE = auto()
    BLOCKED = auto()  # the pending output is written when the terminal is writable again
    CLOSED = auto()  # the terminal is gone, or not used any more


class NonBlockingWriter(TerminalStream):
    """Writes to the terminal of ``descriptor``, in order.

    ``written`` is called when no output is pending, ``lost`` once if the terminal is gone. The output of one
    turn of the asyncio loop is written together in the next turn.
    """

    def __init__(self, descriptor: int, written: Callable[[], None], lost: Callable[[], None]) -> None:
        super().__init__(descriptor)
        self._written, self._lost = written, lost
        self._opened = ExitStack()
        own = _opened_again(descriptor)
        self._piece = SMALL_PIECE if own is None else PIECE
        self._own = os.dup(descriptor) if own is None else own
        self._opened.callback(os.close, self._own)
        self._data = bytearray()
        self._state = WriterState.FREE
        self._turn: asyncio.Handle | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether the terminal did not accept output at the last attempt."""
        return self._state is WriterState.BLOCKED

    @property
    def unwritten(self) -> int:
        """The number of pending bytes."""
        return len(self._data)

    def put(self, data: bytes) -> None:
        """Write ``data`` in the background."""
        if self._state is WriterState.CLOSED:
            return
        self._data += data
        if self._turn is None and self._state is WriterState.FREE:
            self._turn = asyncio.get_running_loop().call_soon(self._push)

    def close(self) -> None:
        """Discard the pending output, and ignore later writes."""
        self._stop(WriterState.CLOSED)
        self._opened.close()

    def write_bytes(self, data: bytes) -> None:
        """Write ``data`` in the background."""
        self.put(data)

    def _push(self) -> None:
        self._turn = None
        try:
            while self._data and self._has_room():
                del self._data[: os.write(self._own, self._data[: self._piece])]
        except BlockingIOError:
            pass
        except OSError:
            self._stop(WriterState.CLOSED)
            self._lost()
            return
        if self._data:
            self._wait()
        else:
            self._stop(WriterState.FREE)
            self._written()

    def _has_room(self) -> bool:
        return bool(select.select([], [self._own], [], 0)[1])

    def _wait(self) -> None:
        if self._state is WriterState.FREE:
            self._state = WriterState.BLOCKED
            asyncio.get_running_loop().add_writer(self._own, self._push)

    def _stop(self, state: WriterState) -> None:
        if self._state is WriterState.BLOCKED:
            asyncio.get_running_loop().remove_writer(self._own)
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if state is WriterState.CLOSED:
            self._data.clear()
        self._state = WriterState.CLOSED if self._state is WriterState.CLOSED else state


def _opened_again(descriptor: int) -> int | None:
    """Return a new, non-blocking descriptor of the same terminal, None if it cannot be opened."""
    try:
        own = os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return None
    if os.path.samestat(os.fstat(own), os.fstat(descriptor)):
        return own
    os.close(own)
    return None
