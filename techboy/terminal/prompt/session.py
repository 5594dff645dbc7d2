"""A terminal with an application at its bottom, and lines that are printed above it.

All output goes through one writer, in order. To print lines, the application is hidden, the lines are
written, and the application is drawn again, in one turn and usually one write. While the terminal accepts no
output, nothing is drawn.

prompt_toolkit runs as a task of the asyncio loop under the reactor. Twisted keeps handling SIGINT and the
other signals that end a program. An error in a task or a key is logged and ends the prompt.
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
from techboy.terminal.prompt.tty import OpenTerminal, TerminalIO

DRAW_TIMEOUT = 5.0
"""Seconds that a terminal has at the end to accept the remaining output."""

RESIZE_DELAY = 0.1
"""Seconds for which the size has to be stable after a change of the width, before anything is drawn."""


class Reactor(Protocol):
    """The methods of the reactor that are used; it runs on an asyncio loop."""

    @property
    def callLater(self) -> Callable[..., IDelayedCall]: ...
    @property
    def callFromThread(self) -> Callable[..., object]: ...


class SessionOwner(Protocol):
    """The owner of a terminal session."""

    @property
    def conversation(self) -> OutputEvents:
        """Receives the state of the output."""

    def should_ring(self) -> bool:
        """Return whether to ring the bell for what is printed now."""

    def terminal_lost(self) -> None:
        """Handle that the terminal is gone or was hung up; may be called more than once."""

    def prompt_failed(self) -> None:
        """Handle an error of the prompt, which is logged; lines are still printed."""


class ScreenPhase(Enum):
    """The phase of a session."""

    CLOSED = auto()  # not opened yet, or closed
    OPENING = auto()  # output is printed, and the application drawn, when the reactor runs
    OPEN = auto()
    STOPPING = auto()  # the application is erased, and the program about to be stopped
    CLOSING = auto()  # the application is erased: at the end, or after an error
    LOST = auto()  # the terminal is gone


_WITH_APP = (ScreenPhase.OPEN, ScreenPhase.STOPPING)


class DrawState(Enum):
    """When a change of the application is drawn."""

    IMMEDIATE = auto()
    DEFERRED = auto()  # when the terminal has accepted the pending output
    REDRAW = auto()  # then too, with the whole screen
    RESIZED = auto()  # when the size is stable, with the whole screen; nothing is printed until then


MakeApp: TypeAlias = Callable[[Callable[[], bool], Callable[[], None], Input, Output], PromptApp]
"""Creates the application. Its arguments: whether the application may draw, a function to call when the
size has changed, and the input and the output of the terminal.
"""


class TerminalSession:
    """The use of a terminal, from `open` to `close`."""

    _log = Logger()

    def __init__(self, owner: SessionOwner, open_terminal: OpenTerminal) -> None:
        self._owner, self._open_terminal = owner, open_terminal
        self._phase, self._draw_state = ScreenPhase.CLOSED, DrawState.IMMEDIATE
        self._printer = ScrollbackPrinter(self._print_soon, self._print)
        self._task: asyncio.Task[None] | None = None
        self._calls: dict[Callable[[], None], IDelayedCall] = {}
        self._cleanup, self._raw_mode = ExitStack(), ExitStack()
        self._closed: list[Deferred[None]] = []

    @property
    def is_open(self) -> bool:
        """Whether output can be shown."""
        return self._phase not in (ScreenPhase.CLOSED, ScreenPhase.LOST)

    def open(self, reactor: Reactor, stdin: int, stdout: int, make_app: MakeApp) -> None:
        """Start reading and showing as soon as the reactor runs."""
        self._reactor, self._stdin = reactor, stdin
        self._modes, self._own_modes = modes_of(stdin), None
        self._set_up = lambda: self._set_up_terminal(
            self._open_terminal(stdin, stdout, self._on_written, self._on_terminal_lost), make_app
        )
        call = reactor.callFromThread
        signals = TerminalSignals(lambda: call(self._owner.terminal_lost), lambda: call(self._continue))
        self._cleanup.callback(signals.close)
        self._phase = ScreenPhase.OPENING
        self._call_later(0, self._start)

    def show(self, lines: str) -> None:
        """Print ``lines``, each with its LF, above the application."""
        if self.is_open:
            self._printer.add(lines, self._owner.conversation, self._unwritten)

    def notice(self, lines: str) -> bool:
        """Print ``lines`` like `show` if there is room for them; return whether there is."""
        has_room = self._printer.has_room_for(len(lines.encode("utf-8", "replace")), self._unwritten)
        if has_room:
            self.show(lines)
        return has_room

    def refresh(self) -> None:
        """Draw the application soon, because its content has changed."""
        if self._phase is ScreenPhase.OPEN:
            self._app.invalidate()

    def redraw(self) -> None:
        """Clear the screen, print the last lines again, and draw, as soon as the terminal accepts output."""
        if self._phase is not ScreenPhase.OPEN or self._draw_state is DrawState.RESIZED:
            return
        if self._terminal.writer.is_blocked:
            self._draw_state = DrawState.REDRAW
            return
        self._draw_state = DrawState.IMMEDIATE
        self._reprint_last()
        self._app.draw()

    def suspend(self) -> None:
        """Restore the terminal, and stop the program until it is continued."""
        self._hide_app()
        self._phase = ScreenPhase.STOPPING
        self._call_later(0, self._stop)  # after the sequences that erase the application are written

    def close(self) -> Deferred[None]:
        """Print the remaining output, then restore the terminal; fires when that is done."""
        closed: Deferred[None] = Deferred()
        self._closed.append(closed)
        if self._phase is ScreenPhase.OPENING:
            self._cancel(self._start)
            self._set_up()
            self._phase = ScreenPhase.CLOSING
        if self._phase is not ScreenPhase.CLOSED:
            self._call_later(DRAW_TIMEOUT, self._release)
            self._close_app()
            self._printer.print()
        self._release_if_done()
        return closed

    def abandon(self) -> None:
        """Restore the terminal at once, and discard the remaining output."""
        self._release()

    # called by the reactor and the loop

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._cleanup.callback(loop.set_exception_handler, loop.get_exception_handler())
        loop.set_exception_handler(self._on_asyncio_error)
        self._set_up()
        self._raw_mode.enter_context(
            self._terminal.input.raw_mode()
        )  # before the first output: a user may react to it with a key
        self._phase = ScreenPhase.OPEN
        self._printer.print()
        running = self._app.run_async(handle_sigint=False, set_exception_handler=False)
        self._task = loop.create_task(running)
        self._task.add_done_callback(self._app_ended)

    def _set_up_terminal(self, terminal: TerminalIO, make_app: MakeApp) -> None:
        self._terminal = terminal
        self._cleanup.callback(terminal.close)
        self._cleanup.callback(self._raw_mode.close)
        self._app = make_app(self._may_draw, self._resized, terminal.input, terminal.output)
        self._app.after_render += self._on_drawn

    def _app_ended(self, run: asyncio.Task[None]) -> None:
        """Handle the end of the application's task."""
        self._task = None
        self._raw_mode.close()
        error = None if run.cancelled() else run.exception()
        if isinstance(error, EOFError):  # prompt_toolkit raises it if the keyboard is closed
            self._on_terminal_lost()
        elif error is not None:
            self._fail(error)
        self._release_if_done()

    def _on_asyncio_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an error in a task, a timer or a key."""
        error = context.get("exception")
        if error is None:
            self._log.warn("asyncio: {message}", event="asyncio_error", message=context["message"])
        else:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._log.failure("the prompt failed", Failure(error), event="prompt_failed")
        if self._phase in _WITH_APP:
            self._close_app()
            self._owner.prompt_failed()

    def _on_written(self) -> None:
        """Handle that the terminal has accepted all output."""
        if self._draw_state is DrawState.RESIZED:
            return
        self._printer.written(self._owner.conversation)
        if self._draw_state is DrawState.DEFERRED:
            self._draw_state = DrawState.IMMEDIATE
            self.refresh()
        elif self._draw_state is DrawState.REDRAW:
            self.redraw()
        self._release_if_done()

    def _on_terminal_lost(self) -> None:
        """Handle that the terminal is gone."""
        if self.is_open:
            self._close_app()
            self._phase = ScreenPhase.LOST
            self._printer.discard()
            self._owner.terminal_lost()

    def _stop(self) -> None:
        if self._phase is ScreenPhase.STOPPING:
            set_modes(self._stdin, self._modes)
            stop()
            self._continue()

    def _continue(self) -> None:
        """Draw after the program was stopped: the terminal may be in any state."""
        if self._phase in _WITH_APP:
            self._phase = ScreenPhase.OPEN
            set_modes(self._stdin, self._own_modes)
            self._app.hide()
            self._app.draw()

    def _on_drawn(self, _: object) -> None:
        if self._own_modes is None:
            self._own_modes = modes_of(self._stdin)

    # printing

    def _may_draw(self) -> bool:
        if self._phase is not ScreenPhase.OPEN:
            return False
        if self._terminal.writer.is_blocked:
            self._draw_state = DrawState.DEFERRED
        return self._draw_state is DrawState.IMMEDIATE

    def _print_soon(self) -> None:
        if self._phase is not ScreenPhase.OPENING:
            self._call_later(0, self._print_gathered)

    def _print_gathered(self) -> None:
        if not (self._terminal.writer.is_blocked or self._draw_state is DrawState.RESIZED):
            self._printer.print()

    def _print(self, data: bytes) -> None:
        if self._phase is ScreenPhase.OPEN:
            self._app.hide()
        self._terminal.writer.put(data + b"\a" if self._owner.should_ring() else data)
        if self._phase is ScreenPhase.OPEN:
            self._app.draw()

    def _reprint_last(self) -> None:
        """Clear the screen, and print as many of the last lines again as fit."""
        self._app.clear()
        size = self._terminal.output.get_size()
        self._terminal.writer.put(self._printer.last_lines(size.rows - self._app.height, size.columns))

    def _hide_app(self) -> None:
        """Erase the application, even if the terminal has moved its rows."""
        self._cancel(self._on_size_settled)
        if self._draw_state in (DrawState.REDRAW, DrawState.RESIZED) or self._width_changed:
            self._reprint_last()
        self._draw_state = DrawState.IMMEDIATE
        self._app.release()

    # resizing

    def _resized(self) -> None:
        if self._phase is ScreenPhase.OPEN:
            if self._draw_state is DrawState.RESIZED or self._width_changed or self._resized_back:
                self._draw_state = DrawState.RESIZED
                self._call_later(RESIZE_DELAY, self._on_size_settled)
            else:
                self._app.redraw_resized()

    @property
    def _width_changed(self) -> bool:
        """Whether the rows of the application may have moved: many terminals wrap or join rows."""
        drawn = self._app.drawn_size
        return drawn is not None and drawn.columns != self._terminal.output.get_size().columns

    @property
    def _resized_back(self) -> bool:
        """Whether the size is the one drawn for, so that it was another one in between."""
        return self._app.drawn_size == self._terminal.output.get_size()

    def _on_size_settled(self) -> None:
        """Redraw after the size was stable for a while."""
        self._draw_state = DrawState.IMMEDIATE
        self.redraw()
        self._print_gathered()

    # ending

    def _close_app(self) -> None:
        """Erase the application for good; the keyboard is restored when its task has ended."""
        if self._phase in _WITH_APP:
            self._phase = ScreenPhase.CLOSING
            self._hide_app()
        if self._task is None:
            return
        future = self._app.future
        if future is None:  # the application has not started, or is about to end
            self._task.cancel()
        elif not future.done():
            self._app.exit()

    def _release_if_done(self) -> None:
        if (
            self._closed
            and self._task is None
            and (self._phase is not ScreenPhase.CLOSING or self._all_written)
        ):
            self._release()

    @property
    def _unwritten(self) -> int:
        return 0 if self._phase is ScreenPhase.OPENING else self._terminal.writer.unwritten

    @property
    def _all_written(self) -> bool:
        return not (self._printer.has_pending or self._terminal.writer.unwritten)

    def _release(self) -> None:
        if self._phase is not ScreenPhase.CLOSED:
            self._phase = ScreenPhase.CLOSED
            for call in list(self._calls):
                self._cancel(call)
            if self._task is not None:
                self._task.cancel()
            self._cleanup.close()
            set_modes(self._stdin, self._modes)
        closed, self._closed = self._closed, []
        for deferred in closed:
            deferred.callback(None)

    def _call_later(self, delay: float, call: Callable[[], None]) -> None:
        def called() -> None:
            del self._calls[call]
            call()

        self._cancel(call)
        self._calls[call] = self._reactor.callLater(delay, called)

    def _cancel(self, call: Callable[[], None]) -> None:
        if call in self._calls:
            self._calls.pop(call).cancel()
