"""A terminal with a region at its bottom that is drawn, and lines that are printed above it.

All that is written goes one way, in order. Lines are printed by taking the region away, writing them, and
drawing it anew, in one turn and, as a rule, one write; while the terminal takes nothing, nothing is drawn.

prompt_toolkit runs as a task of the asyncio loop under the reactor. Twisted keeps SIGINT and the others that
end a program; what is wrong in a task or a key is logged and ends the prompt, as nothing else would tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from enum import Enum, auto
from typing import Any, Protocol, TypeAlias

from prompt_toolkit.input import Input
from prompt_toolkit.output import Output
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from techboy.terminal.prompt.app import PromptApp
from techboy.terminal.prompt.modes import TerminalSignals, modes_of, set_modes, stop
from techboy.terminal.prompt.scrollback import OutputEvents, ScrollbackPrinter
from techboy.terminal.prompt.tty import Opened, TerminalIO

DRAW_TIMEOUT = 5.0
"""Seconds that a terminal has to take what is left, at the end."""

RESIZED_FOR = 0.1
"""Seconds for which the size has to stay, after the width has changed, before anything is drawn."""


class Reactor(Protocol):
    """What is asked of the reactor, which runs on an asyncio loop."""

    @property
    def callLater(self) -> Callable[..., IDelayedCall]: ...
    @property
    def callFromThread(self) -> Callable[..., object]: ...


class SessionOwner(Protocol):
    """Whose stage it is."""

    @property
    def conversation(self) -> OutputEvents:
        """Who is told how far the screen has come."""

    def rings(self) -> bool:
        """Whether the bell is to ring for what is printed now."""

    def lost(self) -> None:
        """The terminal is gone, or was hung up; this may be told more than once."""

    def broke(self) -> None:
        """The prompt failed, for a reason that was logged; lines are still shown."""


class ScreenPhase(Enum):
    """Where the stage stands."""

    CLOSED = auto()  # not open yet, or not any more
    OPENING = auto()  # what is shown is printed, and the region drawn, when the reactor runs
    OPEN = auto()
    STOPPING = auto()  # the region was taken away, and the program is about to be stopped
    CLEARED = auto()  # the region was taken away: at the end, or because it failed
    LOST = auto()  # the terminal is gone


_WITH_REGION = (ScreenPhase.OPEN, ScreenPhase.STOPPING)


class Drawing(Enum):
    """When the region is drawn that is different now."""

    AT_ONCE = auto()
    PUT_OFF = auto()  # until the terminal has taken what it was given
    ANEW = auto()  # then too, with all of the screen
    RESIZED = auto()  # when the size has stayed for a while, with all of the screen; nothing else is printed


MakeApp: TypeAlias = Callable[[Callable[[], bool], Callable[[], None], Input, Output], PromptApp]
"""Makes what is drawn; it is given what tells whether it may draw, whom to tell of another size, and both
ends."""


class TerminalSession:
    """Keyboard and screen, from `open` to `close`."""

    _log = Logger()

    def __init__(self, owner: SessionOwner, opened: Opened) -> None:
        self._owner, self._opened = owner, opened
        self._phase, self._drawing = ScreenPhase.CLOSED, Drawing.AT_ONCE
        self._above = ScrollbackPrinter(self._print_soon, self._print)
        self._run: asyncio.Task[None] | None = None
        self._calls: dict[Callable[[], None], IDelayedCall] = {}
        self._restored, self._raw = ExitStack(), ExitStack()
        self._closed: list[Deferred[None]] = []

    @property
    def is_open(self) -> bool:
        """Whether something can be shown."""
        return self._phase not in (ScreenPhase.CLOSED, ScreenPhase.LOST)

    def open(
        self,
        reactor: Reactor,
        stdin: int,
        stdout: int,
        region: MakeApp,
    ) -> None:
        """Begin to read and show, as soon as the reactor runs."""
        self._reactor, self._stdin = reactor, stdin
        self._modes, self._own_modes = modes_of(stdin), None
        self._set_up = lambda: self._open_ends(self._opened(stdin, stdout, self._written, self._lose), region)
        told = reactor.callFromThread
        attending = TerminalSignals(lambda: told(self._owner.lost), lambda: told(self._go_on))
        self._restored.callback(attending.close)
        self._phase = ScreenPhase.OPENING
        self._call(0, self._begin)

    def show(self, lines: str) -> None:
        """Print ``lines``, each with its LF, above the region."""
        if self.is_open:
            self._above.add(lines, self._owner.conversation, self._unwritten)

    def notice(self, lines: str) -> bool:
        """Print ``lines`` as `show` does if there is room for them; return whether there is."""
        room = self._above.has_room_for(len(lines.encode("utf-8", "replace")), self._unwritten)
        if room:
            self.show(lines)
        return room

    def refresh(self) -> None:
        """Something in the region is different."""
        if self._phase is ScreenPhase.OPEN:
            self._region.invalidate()

    def redraw(self) -> None:
        """Clear the screen, print again what was printed last, and draw, as soon as the terminal takes it."""
        if self._phase is not ScreenPhase.OPEN or self._drawing is Drawing.RESIZED:
            return
        if self._ends.way.stuck:
            self._drawing = Drawing.ANEW
            return
        self._drawing = Drawing.AT_ONCE
        self._print_last()
        self._region.draw()

    def suspend(self) -> None:
        """Stop the program, with the terminal as it was, until it is told to go on."""
        self._erase()
        self._phase = ScreenPhase.STOPPING
        self._call(0, self._stop)  # what takes the region away is written before

    def close(self) -> Deferred[None]:
        """Print what was shown, then let go of the terminal as it was; fires when that is done."""
        closed: Deferred[None] = Deferred()
        self._closed.append(closed)
        if self._phase is ScreenPhase.OPENING:
            self._cancel(self._begin)
            self._set_up()
            self._phase = ScreenPhase.CLEARED
        if self._phase is not ScreenPhase.CLOSED:
            self._call(DRAW_TIMEOUT, self._let_go)
            self._clear()
            self._above.print()
        self._end_if_done()
        return closed

    def abandon(self) -> None:
        """Let go of the terminal, whatever it has not taken."""
        self._let_go()

    # what the reactor and the loop call

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._restored.callback(loop.set_exception_handler, loop.get_exception_handler())
        loop.set_exception_handler(self._failed)
        self._set_up()
        self._raw.enter_context(self._ends.input.raw_mode())  # a key may be pressed for what is seen
        self._phase = ScreenPhase.OPEN
        self._above.print()
        running = self._region.run_async(handle_sigint=False, set_exception_handler=False)
        self._run = loop.create_task(running)
        self._run.add_done_callback(self._ran)

    def _open_ends(self, ends: TerminalIO, region: MakeApp) -> None:
        self._ends = ends
        self._restored.callback(ends.close)
        self._restored.callback(self._raw.close)
        self._region = region(self._may_draw, self._resized, ends.input, ends.output)
        self._region.after_render += self._drawn

    def _ran(self, run: asyncio.Task[None]) -> None:
        """The region is not drawn any more."""
        self._run = None
        self._raw.close()
        error = None if run.cancelled() else run.exception()
        if isinstance(error, EOFError):  # prompt_toolkit's word for a keyboard that was closed
            self._lose()
        elif error is not None:
            self._break(error)
        self._end_if_done()

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something went wrong in a task, a timer or a key."""
        error = context.get("exception")
        if error is None:
            self._log.warn("asyncio: {message}", event="asyncio_error", message=context["message"])
        else:
            self._break(error)

    def _break(self, error: BaseException) -> None:
        self._log.failure("the prompt failed", Failure(error), event="prompt_failed")
        if self._phase in _WITH_REGION:
            self._clear()
            self._owner.broke()

    def _written(self) -> None:
        """The terminal has taken all."""
        if self._drawing is Drawing.RESIZED:
            return
        self._above.written(self._owner.conversation)
        if self._drawing is Drawing.PUT_OFF:
            self._drawing = Drawing.AT_ONCE
            self.refresh()
        elif self._drawing is Drawing.ANEW:
            self.redraw()
        self._end_if_done()

    def _lose(self) -> None:
        """The terminal is gone."""
        if self.is_open:
            self._clear()
            self._phase = ScreenPhase.LOST
            self._above.forget()
            self._owner.lost()

    def _stop(self) -> None:
        if self._phase is ScreenPhase.STOPPING:
            set_modes(self._stdin, self._modes)
            stop()
            self._go_on()

    def _go_on(self) -> None:
        """The program was stopped, and the terminal may be any way now."""
        if self._phase in _WITH_REGION:
            self._phase = ScreenPhase.OPEN
            set_modes(self._stdin, self._own_modes)
            self._region.lift()
            self._region.draw()

    def _drawn(self, _: object) -> None:
        if self._own_modes is None:
            self._own_modes = modes_of(self._stdin)

    # printing

    def _may_draw(self) -> bool:
        if self._phase is not ScreenPhase.OPEN:
            return False
        if self._ends.way.stuck:
            self._drawing = Drawing.PUT_OFF
        return self._drawing is Drawing.AT_ONCE

    def _print_soon(self) -> None:
        if self._phase is not ScreenPhase.OPENING:
            self._call(0, self._print_gathered)

    def _print_gathered(self) -> None:
        if not (self._ends.way.stuck or self._drawing is Drawing.RESIZED):
            self._above.print()

    def _print(self, data: bytes) -> None:
        if self._phase is ScreenPhase.OPEN:
            self._region.lift()
        self._ends.way.put(data + b"\a" if self._owner.rings() else data)
        if self._phase is ScreenPhase.OPEN:
            self._region.draw()

    def _print_last(self) -> None:
        """Clear the screen, and print again as much of what was printed last as it has room for."""
        self._region.clear()
        size = self._ends.output.get_size()
        self._ends.way.put(self._above.last(size.rows - self._region.height, size.columns))

    def _erase(self) -> None:
        """Take the region away, whatever the terminal has made of it."""
        self._cancel(self._settled)
        if self._drawing in (Drawing.ANEW, Drawing.RESIZED) or self._has_other_width:
            self._print_last()
        self._drawing = Drawing.AT_ONCE
        self._region.erase()

    # another size

    def _resized(self) -> None:
        if self._phase is ScreenPhase.OPEN:
            if self._drawing is Drawing.RESIZED or self._has_other_width or self._was_resized_twice:
                self._drawing = Drawing.RESIZED
                self._call(RESIZED_FOR, self._settled)
            else:
                self._region.adapt()

    @property
    def _has_other_width(self) -> bool:
        """Whether nobody knows what the terminal has made of the region: many wrap rows, or join them."""
        drawn = self._region.drawn_for
        return drawn is not None and drawn.columns != self._ends.output.get_size().columns

    @property
    def _was_resized_twice(self) -> bool:
        """Whether the size is as it was when the region was drawn, so that it was another one in between."""
        return self._region.drawn_for == self._ends.output.get_size()

    def _settled(self) -> None:
        """The size has stayed for a while."""
        self._drawing = Drawing.AT_ONCE
        self.redraw()
        self._print_gathered()

    # ending

    def _clear(self) -> None:
        """Take the region away for good; the keyboard is as it was when its task has ended."""
        if self._phase in _WITH_REGION:
            self._phase = ScreenPhase.CLEARED
            self._erase()
        if self._run is None:
            return
        future = self._region.future
        if future is None:  # it has not begun, or is about to end
            self._run.cancel()
        elif not future.done():
            self._region.exit()

    def _end_if_done(self) -> None:
        if (
            self._closed
            and self._run is None
            and (self._phase is not ScreenPhase.CLEARED or self._all_written)
        ):
            self._let_go()

    @property
    def _unwritten(self) -> int:
        return 0 if self._phase is ScreenPhase.OPENING else self._ends.way.unwritten

    @property
    def _all_written(self) -> bool:
        return not (self._above.waits or self._ends.way.unwritten)

    def _let_go(self) -> None:
        if self._phase is not ScreenPhase.CLOSED:
            self._phase = ScreenPhase.CLOSED
            for call in list(self._calls):
                self._cancel(call)
            if self._run is not None:
                self._run.cancel()
            self._restored.close()
            set_modes(self._stdin, self._modes)
        closed, self._closed = self._closed, []
        for deferred in closed:
            deferred.callback(None)

    def _call(self, delay: float, call: Callable[[], None]) -> None:
        def called() -> None:
            del self._calls[call]
            call()

        self._cancel(call)
        self._calls[call] = self._reactor.callLater(delay, called)

    def _cancel(self, call: Callable[[], None]) -> None:
        if call in self._calls:
            self._calls.pop(call).cancel()
