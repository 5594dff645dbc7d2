"""Pipes in place of standard input and output, and waiting for what comes of them."""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.internet import reactor, task


class Pipes:
    """Two pipes: from ``typing`` to ``stdin``, and from ``stdout`` to ``seeing``."""

    def __init__(self) -> None:
        self.stdin, self.typing = os.pipe()
        self.seeing, self.stdout = os.pipe()
        self._open = {self.stdin, self.typing, self.seeing, self.stdout}

    def close(self, descriptor: int) -> None:
        """Close one end."""
        self._open.remove(descriptor)
        os.close(descriptor)

    def close_all(self) -> None:
        """Close what is still open."""
        if self.typing in self._open:  # what reads ends before the other end is closed under it
            self.close(self.typing)
        for descriptor in [*self._open]:
            self.close(descriptor)


def read_exactly(descriptor: int, size: int) -> bytes:
    """Return the next ``size`` bytes, as soon as they are there; to be called in a thread of its own."""
    data = b""
    while len(data) < size:
        data += os.read(descriptor, size - len(data))
    return data


async def until(condition: Callable[[], object]) -> None:
    """Let the reactor run until ``condition`` holds."""
    for _ in range(2000):
        if condition():
            return
        await task.deferLater(reactor, 0.005)
    raise AssertionError("it did not come to pass")
