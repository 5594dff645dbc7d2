"""A terminal in memory, with a screen that can be looked at, on an asyncio loop of the test's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pyte
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput
from prompt_toolkit.output.vt100 import Vt100_Output
from twisted.internet.task import Clock

from techboy.terminal.prompt.tty import Callback, TerminalIO
from tests.screen import rows_of

ROWS, COLUMNS = 10, 50

DEADLINE = 10.0
"""Seconds that anything awaited may take; nearly all of it takes a fraction of one."""


class LoopReactor(Clock):
    """What is to happen at once happens in the loop's next turn, the rest when the test says it is time."""

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kw: object) -> Any:  # noqa: A002
        if delay:
            return super().callLater(delay, callable, *args, **kw)
        return asyncio.get_running_loop().call_soon(callable)

    def callFromThread(self, call: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_soon_threadsafe(call)


class Emulator(pyte.Screen):
    """A screen that counts bells."""

    bells = 0

    def bell(self, *_: Any) -> None:
        self.bells += 1


class FakeTerminal:
    """A terminal: what is typed at it, and what it shows, as long as it ``takes`` what is written."""

    encoding = "utf-8"

    def __init__(self, keyboard: PipeInput, rows: int = ROWS, columns: int = COLUMNS) -> None:
        self.keyboard, self.emulator = keyboard, Emulator(columns, rows)
        self._stream = pyte.ByteStream(self.emulator)
        self._data, self._takes, self._turn = b"", True, None
        self.closed = 0

    def opened(self, stdin: int, stdout: int, written: Callback, lost: Callback) -> TerminalIO:
        self._written, self.loses = written, lost
        output = Vt100_Output(cast(Any, self), self.size, term="xterm", enable_cpr=False)
        return TerminalIO(self.keyboard, output, self, self.close)

    def size(self) -> Size:
        return Size(rows=self.emulator.lines, columns=self.emulator.columns)

    @property
    def rows(self) -> list[str]:
        """What is to be seen, without blanks at the ends, and blank rows at the bottom."""
        return rows_of(self.emulator)

    def types(self, text: str) -> None:
        self.keyboard.send_text(text)

    def pastes(self, text: str) -> None:
        self.types(f"\x1b[200~{text}\x1b[201~")

    def halts(self) -> None:
        """Take nothing for now."""
        self._takes = False

    def goes_on(self) -> None:
        """Take everything again."""
        self._takes = True
        self._push()

    # what is asked of a way out, and of a text stream

    @property
    def is_blocked(self) -> bool:
        return not self._takes and bool(self._data)

    @property
    def unwritten(self) -> int:
        return len(self._data)

    def put(self, data: bytes) -> None:
        self._data += data
        asyncio.get_running_loop().call_soon(self._push)

    def write(self, text: str) -> None:
        self.put(text.encode("utf-8", "replace"))

    def flush(self) -> None:
        """All is written when it is taken."""

    def close(self) -> None:
        self.closed += 1

    def _push(self) -> None:
        if self._takes and self._data and not self.closed:
            data, self._data = self._data, b""
            self._stream.feed(data)
            self._written()


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until ``condition`` holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.001)


async def settle() -> None:
    """Let the loop run until all that is to happen at once has happened."""
    for _ in range(50):
        await asyncio.sleep(0)


async def idle() -> None:
    """Let the loop run, with pauses for what prompt_toolkit puts off until there is nothing else to do."""
    for _ in range(50):
        await asyncio.sleep(0.001)


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run ``test`` on a loop of its own."""
    asyncio.run(asyncio.wait_for(test, 3 * DEADLINE))
