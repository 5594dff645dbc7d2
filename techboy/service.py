"""What all programs have in common: whoever sits at this end, and how it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from techboy import __version__, exit_status
from techboy.background_writer import Call
from techboy.config.options import ConversationOptions
from techboy.net.connection_log import ConnectionLog
from techboy.net.reactor import IReactor
from techboy.ops.notify import Notifier, watchdog_seconds
from techboy.ops.reload import Reload, on_hangup
from techboy.ops.systemd import SystemdService
from techboy.ops.transcript import Transcript, local_iso
from techboy.storage.state_dir import shown
from techboy.terminal.formats import OutputFormats
from techboy.terminal.input_parser import InputParser, PersonParser, ScriptParser
from techboy.terminal.interface import InputSource
from techboy.terminal.null_ui import NullUI
from techboy.terminal.plain_prompt import PlainPrompt, erase_sequence
from techboy.terminal.progress import FilePosition, Progress, Sample, can_show_progress, columns_of
from techboy.terminal.stdio_bridge import InputHandler, StdioBridge
from techboy.terminal.streams import StandardStream, Streams, descriptor, is_terminal
from techboy.wire.plain import PlainProtocol

if TYPE_CHECKING:
    from techboy.terminal.prompt.screen import PromptScreen

SHOWN_WITHIN = 1.5
"""Seconds that the screen has to take what is to be shown, if a signal ends the program."""

WRITTEN_WITHIN = 1.0
"""Seconds in which log, states and transcript are written at the end, if a signal ends the program."""

ENDED_WITHIN = 4.4
"""Seconds after that signal for all of it, so that the program has ended within five."""

WRITTEN_AT_LEISURE = 5.0
"""Seconds in which they are written if no signal ends the program."""

SETTLED_WITHIN = 1.0
"""Seconds for what was written so far to be on the screen before it is opened."""


class FlushableOutput(Protocol):
    """What is written in the background: see `techboy.background_writer.BoundedWriter`."""

    def report_by(self, call: Call) -> None: ...
    def finish(self, deadline: float) -> None: ...


class ExitCause(Enum):
    """What ends the program."""

    NOT_YET = auto()
    BY_ITSELF = auto()
    BY_SIGNAL = auto()


class ChatService(Service):
    """A program with somebody, or nobody, at this end. ``dialect`` says which end this is.

    ``reactor`` measures intervals. ``wall`` returns the time of day, in seconds since 1970, for what is
    stored, shown or written down with its time.
    A subclass defines `speaker` and `leave`, and calls `ended`. Making it ends the process with one line
    where the transcript that ``options`` ask for can't be written.
    """

    _log = Logger()
    on_hangup = staticmethod(on_hangup)
    on_interrupt = staticmethod(exit_status.handle_sigint)
    on_terminate = staticmethod(exit_status.handle_sigterm)
    on_console_closed = staticmethod(exit_status.on_console_closed)
    end_with = staticmethod(exit_status.set_exit_status)
    end_whatever_comes = staticmethod(exit_status.force_exit_status)

    def __init__(
        self,
        reactor: IReactor,
        options: ConversationOptions,
        streams: Streams,
        dialect: PlainProtocol,
        wall: Callable[[], float],
    ) -> None:
        self.reactor, self.wall, self.options, self.dialect = reactor, wall, options, dialect
        self.keyboard = streams.keyboard
        self._streams, self._ended, self._status = streams, Deferred[None](), exit_status.OK
        self._ending, self._ends_at = ExitCause.NOT_YET, 0.0
        self._closing: Deferred[None] | None = None
        self._progress: Progress | None = None
        watchdog = watchdog_seconds(options.manager, os.getpid())
        self.supervised = SystemdService(
            reactor, Notifier(options.manager), watchdog, lambda: str(self.standing)
        )
        self._states = streams.status_output
        self.ui = self._ui()
        self.connection_log, self.reload = ConnectionLog(reactor.seconds), Reload(reactor)
        self.reload.wrapper = self.supervised.reload
        if options["log-file"] is not None:
            self.reload.add("the log file", options["log-file"].reopen)
        self.transcript = self._transcript()
        written: list[FlushableOutput | None] = [self.transcript, self._states, options["log"]]
        self._written = [one for one in written if one is not None]
        for one in self._written:
            one.report_by(reactor.callFromThread)
        reactor.addSystemEventTrigger("after", "shutdown", self._finish_writing)

    @property
    def speaker(self) -> InputHandler:
        """Who is told what is read here."""
        raise NotImplementedError

    @property
    def standing(self) -> object:
        """How things stand; as a string, one line for people."""
        raise NotImplementedError

    def leave(self) -> None:
        """Say goodbye to everybody, then call `ended`; more than once does no harm."""
        raise NotImplementedError

    def ended(self) -> None:
        """Nobody is left to talk to: end the program."""
        if self._progress is not None:
            self._progress.stop()
            self._input.close()
        if self._ending is ExitCause.NOT_YET:
            self._ending = ExitCause.BY_ITSELF
            self.on_terminate(lambda: self.reactor.callFromThread(self._end_soon))
        self._ended.callback(None)
        if self.running:
            self.reactor.stop()

    def listens(self, place: str) -> None:
        """It listens at ``place``: say so."""
        self.ui.show_status(f"Listening for connection on {place}...")

    def all_open(self, _: object = None) -> None:
        """Everything is open, and the program does what it is for: tell the service manager."""
        self.supervised.started()

    def give_up(self, status: int, why: str) -> None:
        """End with ``status``, saying why."""
        self._status = status
        self.ui.show_status(why)
        self.leave()

    def startService(self) -> None:
        """Open keyboard and screen."""
        super().startService()
        if not isinstance(self.ui, NullUI):
            if self._states.on_screen:
                self._states.settle(SETTLED_WITHIN)
            self.ui.conversation = self.speaker
            stdin = None if self.keyboard is InputSource.NONE else descriptor(self._streams.stdin)
            stdout = descriptor(self._streams.stdout) if self.options["hears"] else None
            self.ui.open(self.reactor, stdin, stdout)
        if self._progress is not None:
            self._progress.start()
        self.on_interrupt(lambda: self.reactor.callFromThread(self.leave))
        self.on_hangup(lambda: self.reactor.callFromThread(self.hung_up))
        self.on_console_closed(lambda: self.reactor.callFromThread(self._terminate))
        self._log.info(
            "{program} {version} starts", event="starting", program=self.options.program, version=__version__
        )

    def show_progress(self, sample: Callable[[], Sample]) -> None:
        """Show how long work goes on, where there is a terminal for it at which nobody types.

        ``sample`` returns how far it is, without what was read of the input.
        """
        stream = self._streams.stderr
        if (
            self.keyboard is InputSource.PERSON
            or stream is None
            or not can_show_progress(stream, self.options.terminal_type)
        ):
            return
        self._input = script = FilePosition(self._streams.stdin)
        line = self.ui if self._states.on_screen and isinstance(self.ui, StdioBridge) else self._states

        def with_input() -> Sample:
            return replace(sample(), done=script.done, total=script.total)

        self._progress = Progress(line, self.reactor, with_input, columns_of(stream))
        log = self.options.parent and self.options.parent["logFile"]
        if isinstance(log, StandardStream):
            log.above = self._progress.above

    def hung_up(self) -> None:
        """The terminal is gone, which ends the program; where there is none, do anew what can be."""
        if self.keyboard is InputSource.NONE:
            self.reload()
        else:
            self.leave()

    def stopService(self) -> Deferred[Any]:
        """Say goodbye; fires when everything was sent and shown."""
        super().stopService()
        if self._ending is ExitCause.NOT_YET:
            self._hasten()
        self._log.info("{program} stops", event="stopping", program=self.options.program)
        self.supervised.stopService()
        self.leave()
        return self._ended.addCallback(lambda _: self._close()).addCallback(self._set_status)

    @property
    def hasty(self) -> bool:
        """Whether a signal ends the program, so that there is a limit to everything."""
        return self._ending is ExitCause.BY_SIGNAL

    @property
    def time_left(self) -> float | None:
        """For how many seconds what is shown may still be written in the end, None: as long as it takes."""
        return SHOWN_WITHIN if self.hasty else None

    def time_of_day(self, at: float) -> str:
        """Return the moment ``at``, in seconds since 1970, for people."""
        return clock_time(at, self.wall())

    def fail(self, why: str) -> None:
        """Say why the program can't end well, and let the status tell, whatever ended it."""
        self.ui.show_status(f"{self.options.program}: {why}")
        self.end_whatever_comes(self.reactor, exit_status.IO_ERROR)

    def _hasten(self) -> None:
        self._ending, self._ends_at = ExitCause.BY_SIGNAL, time.monotonic() + ENDED_WITHIN

    def _close(self) -> Deferred[None]:
        self._closing, left = self.ui.close(), self.time_left
        if left is not None:
            return self._closing.addTimeout(left, self.reactor, self._not_shown)
        return self._closing

    def _terminate(self) -> None:
        """End as at SIGTERM, with a limit to everything."""
        if self._ending is ExitCause.NOT_YET:
            self.reactor.stop()
        else:
            self._end_soon()

    def _end_soon(self) -> None:
        """A signal came after the program had begun to end by itself: from now on there is a limit."""
        if self.hasty:
            return
        self._hasten()
        closing = self._closing
        if closing is None or closing.called:
            return
        giving_up = self.reactor.callLater(SHOWN_WITHIN, self._not_shown, None, SHOWN_WITHIN)

        def not_given_up(_: object) -> None:
            if giving_up.active():
                giving_up.cancel()

        closing.addBoth(not_given_up)

    def _not_shown(self, failure: object, seconds: float) -> None:
        if self._states.on_screen:  # where nothing can be said either
            self.end_whatever_comes(self.reactor, exit_status.IO_ERROR)
        else:
            self.fail("some messages could not be shown")
        self.ui.abandon()  # after which all may end at once

    def _set_status(self, _: None) -> None:
        self.end_with(self._status or self.ui.status)

    def _transcript(self) -> Transcript | None:
        path = self.options["transcript"]
        if path is None:
            return None
        try:
            transcript = Transcript(path, local_iso, self.wall)
        except OSError as refused:
            program, why = self.options.program, refused.strerror
            exit_status.fail(exit_status.IO_ERROR, f"{program}: --transcript {shown(path)}: {why}")
        self.reload.add("the transcript", transcript.reopen)
        return transcript

    def _finish_writing(self) -> None:
        """Nothing is left to do but to write what waits, and the last of the log."""
        now = time.monotonic()
        deadline = min(now + WRITTEN_WITHIN, self._ends_at) if self.hasty else now + WRITTEN_AT_LEISURE
        for one in self._written:
            one.finish(deadline)
        if self.transcript is not None:
            self.transcript.close()

    def _ui(self) -> StdioBridge | PromptScreen | NullUI:
        if not self.options["shown"]:
            return NullUI(self._states.write)
        return self._prompted() if self.options["prompted"] else self._bridge()

    def _prompted(self) -> PromptScreen:
        from techboy.prompting import prompted  # prompt_toolkit is large

        return prompted(
            self._reader(), self.options, self._states, lambda: str(self.standing), self.wall, os.environ
        )

    def _bridge(self) -> StdioBridge:
        options, streams = self.options, self._streams
        on_terminal = is_terminal(streams.stdout)
        prompt = None
        if self.keyboard is InputSource.PERSON and on_terminal:
            columns = get_terminal_size().columns
            prompt = PlainPrompt(options["name"], erase_sequence(options.terminal_type, columns))
        output = OutputFormats(options["output"], on_terminal or options["many"], self.wall, self.time_of_day)
        return StdioBridge(self._reader(), output, self._states, options["max-line"], prompt)

    def _reader(self) -> InputParser:
        if self.keyboard is InputSource.PERSON:
            return PersonParser(self.options["max-line"])
        return ScriptParser(self.options["max-line"], self.dialect.encode)


def clock_time(at: float, now: float) -> str:
    """Return the local time of ``at``: hours and minutes, after the date if it is not that of ``now``."""
    moment, today = time.localtime(at), time.localtime(now)
    same_day = (moment.tm_year, moment.tm_yday) == (today.tm_year, today.tm_yday)
    return time.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M", moment)
