"""Tests of the standard streams, with real pipes, files and terminals."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, TextIO

import pytest

from techboy.background_writer import LIMIT
from techboy.terminal.interface import InputSource
from techboy.terminal.streams import StandardStream, Streams, descriptor, is_terminal, keyboard, same_file
from tests.journals import written
from tests.marks import needs_posix_terminal, needs_readiness, open_terminal

MORE_THAN_A_PIPE_HOLDS = 1024 * 1024


class Opened:
    """Real streams, closed at the end of the test."""

    def __init__(self, closing: ExitStack, folder: Path) -> None:
        self._closing, self._folder = closing, folder

    def pipe(self) -> tuple[TextIO, TextIO]:
        """Return both ends of a pipe: to read from, and to write to."""
        reading, writing = os.pipe()
        writer = self._opened(writing, "w")  # it is closed last: on Windows a thread may wait in it
        return self._opened(reading, "r"), writer

    def terminal(self) -> TextIO:
        """Return a terminal."""
        other_end, terminal = open_terminal()
        self._closing.callback(os.close, other_end)
        return self._opened(terminal, "w")

    def null(self) -> TextIO:
        """Return /dev/null."""
        return self._opened(os.open(os.devnull, os.O_RDONLY), "r")

    def file(self) -> TextIO:
        """Return an empty file."""
        return self._opened(os.open(self._folder / "file", os.O_RDWR | os.O_CREAT), "r")

    def again(self, stream: TextIO) -> TextIO:
        """Return what is opened as ``stream`` under another number, as after ``2>&1``."""
        return self._opened(os.dup(stream.fileno()), "w")

    def _opened(self, number: int, mode: Literal["r", "w"]) -> TextIO:
        return self._closing.enter_context(open(number, mode))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Open real streams."""
    with ExitStack() as closing:
        yield Opened(closing, tmp_path)


class KeyboardTests:
    """Standard input decides who speaks."""

    def test_terminal(self, opened: Opened) -> None:
        """At a terminal sits a person."""
        assert keyboard(opened.terminal()) is InputSource.PERSON

    def test_pipe(self, opened: Opened) -> None:
        """A pipe is a script."""
        assert keyboard(opened.pipe()[0]) is InputSource.SCRIPT

    def test_file(self, opened: Opened) -> None:
        """A file is a script, an empty one too."""
        assert keyboard(opened.file()) is InputSource.SCRIPT

    def test_null(self, opened: Opened) -> None:
        """Nobody speaks from /dev/null."""
        assert keyboard(opened.null()) is InputSource.NONE

    @needs_posix_terminal
    def test_other_device(self, opened: Opened) -> None:
        """Another device than /dev/null is read like a file."""
        with open("/dev/zero") as zero:
            assert keyboard(zero) is InputSource.SCRIPT

    def test_closed(self) -> None:
        """Nobody speaks from an input that is closed."""
        assert keyboard(None) is InputSource.NONE


class IsTerminalTests:
    """A terminal is known, and nothing else is taken for one."""

    def test_terminal(self, opened: Opened) -> None:
        assert is_terminal(opened.terminal())

    def test_others(self, opened: Opened) -> None:
        assert not is_terminal(opened.pipe()[1])
        assert not is_terminal(opened.null())
        assert not is_terminal(None)


class SamePlaceTests:
    """It is known where two streams are one."""

    def test_same(self, opened: Opened) -> None:
        """After 2>&1 both are one pipe, file or terminal."""
        for stream in (opened.pipe()[1], opened.file(), opened.terminal()):
            assert same_file(stream, opened.again(stream))

    def test_different(self, opened: Opened) -> None:
        """Two pipes are two places, as are two terminals."""
        assert not same_file(opened.pipe()[1], opened.pipe()[1])
        assert not same_file(opened.terminal(), opened.terminal())

    def test_closed(self, opened: Opened) -> None:
        """What is closed is no place."""
        stream = opened.file()
        assert not same_file(stream, None)
        assert not same_file(None, stream)
        assert not same_file(None, None)


def errors(stream: TextIO | None, screen: TextIO | None = None) -> StandardStream:
    """Return ``stream`` as standard error, where ``screen`` is standard output."""
    return Streams(None, screen, stream).status_output


class StandardStreamTests:
    """What is written to a standard stream gets there, and nobody waits for that."""

    def test_write(self, opened: Opened) -> None:
        """A line is written, as UTF-8."""
        reading, writing = opened.pipe()
        assert errors(writing).write("žofie\n") == 6
        assert os.read(reading.fileno(), 100) == "žofie\n".encode()

    def test_surrogate(self, opened: Opened) -> None:
        """What can't be written as UTF-8 is replaced, and the rest is written."""
        reading, writing = opened.pipe()
        errors(writing).write("a\udcffb\n")
        assert os.read(reading.fileno(), 100) == b"a?b\n"

    def test_flush(self, opened: Opened) -> None:
        """Nothing waits to be flushed."""
        reading, writing = opened.pipe()
        error = errors(writing)
        error.write("one\n")
        error.flush()
        assert os.read(reading.fileno(), 100) == b"one\n"

    @pytest.mark.parametrize("blocking", [True, pytest.param(False, marks=needs_readiness)])
    def test_full(self, opened: Opened, blocking: bool) -> None:
        """A pipe that is full stops nobody, and gets all of it when it is read, whether it blocks or not."""
        reading, writing = opened.pipe()
        if not blocking:
            os.set_blocking(writing.fileno(), False)
        error = errors(writing)
        text = "0123456789abcde\n" * (MORE_THAN_A_PIPE_HOLDS // 16)
        assert error.write(text) == len(text)
        assert not error.settle(0.01)
        assert reading.read(len(text)) == text
        assert error.settle(5)

    def test_dropped(self, opened: Opened) -> None:
        """What finds no room is dropped, and the log tells of it when there is some."""
        reading, writing = opened.pipe()
        error = errors(writing)
        text = "x" * (LIMIT - 1) + "\n"
        with written() as log:
            error.write(text)
            error.write("one\n")
            error.write("two\n")
            assert log.texts == []
            assert reading.read(len(text)) == text
            assert error.settle(5)
            error.write("three\n")
            assert error.settle(5)
        assert reading.read(6) == "three\n"
        assert log.texts == ["standard error: 2 entries were dropped"]

    def test_one_place(self, opened: Opened) -> None:
        """Lines for standard output and for standard error come in their order where both are one."""
        reading, writing = opened.pipe()
        streams = Streams(None, opened.again(writing), writing)
        lines = [f"{number}\n" for number in range(1000)]
        for number, line in enumerate(lines):
            (streams.output if number % 2 else streams.status_output).write(line)
        text = "".join(lines)
        assert reading.read(len(text)) == text

    def test_two_places(self, opened: Opened) -> None:
        """Where they are two, one that is full does not hold up the other."""
        (_, full), (reading, writing) = opened.pipe(), opened.pipe()
        streams = Streams(None, full, writing)
        streams.output.write("x" * MORE_THAN_A_PIPE_HOLDS)
        streams.status_output.write("one\n")
        assert os.read(reading.fileno(), 100) == b"one\n"
        assert not streams.output.settle(0.01)

    def test_reader_gone(self, opened: Opened) -> None:
        """Where nobody reads any more, what is written is dropped, then and later."""
        reading, writing = opened.pipe()
        reading.close()
        error = errors(writing)
        assert error.write("one\n") == 4
        assert error.write("two\n") == 4
        assert error.settle(5)

    def test_above(self, opened: Opened) -> None:
        """Lines come above what stands on the last one, which is drawn as it stands."""
        reading, writing = opened.pipe()
        error = errors(writing)
        error.above = lambda data: b"<erase>" + data + b"bar"
        error.draw(b"bar")
        error.write("one\n")
        assert error.settle(5)
        assert os.read(reading.fileno(), 100) == b"bar<erase>one\nbar"

    def test_ready(self, opened: Opened) -> None:
        """It is known where what is drawn would come late, or be in vain."""
        reading, writing = opened.pipe()
        error = errors(writing)
        assert error.ready
        text = "x" * MORE_THAN_A_PIPE_HOLDS
        error.write(text)
        assert not error.ready
        reading.read(len(text))
        assert error.settle(5)
        assert error.ready
        reading.close()
        error.write("hello?\n")
        assert error.settle(5)
        assert not error.ready

    def test_closed(self) -> None:
        """What is written to nowhere is dropped."""
        error = errors(None)
        assert error.write("one\n") == 4
        error.report_by(lambda call: call())
        error.finish(0.0)
        assert error.settle(0)
        assert not error.ready
        assert not error.isatty()
        assert not error.on_screen

    def test_finish(self, opened: Opened) -> None:
        """At the end it is waited for that it is written."""
        reading, writing = opened.pipe()
        error = errors(writing)
        error.report_by(lambda call: call())
        error.write("one\n")
        error.finish(time.monotonic() + 5)
        error.write("two\n")
        assert os.read(reading.fileno(), 100) == b"one\ntwo\n"

    def test_terminal(self, opened: Opened) -> None:
        """It is a terminal where standard error is one."""
        assert errors(opened.terminal()).isatty()
        assert not errors(opened.pipe()[1]).isatty()

    def test_diverted(self, opened: Opened) -> None:
        """Whoever draws on the screen may take what is written, as long as it can show that."""
        reading, writing = opened.pipe()
        error = errors(writing)
        taken: list[str] = []

        def take(text: str) -> bool:
            taken.append(text)
            return len(taken) < 2

        error.redirect(take)
        assert (error.write("one\n"), error.write("two\n")) == (4, 4)
        assert taken == ["one\n", "two\n"]
        assert os.read(reading.fileno(), 100) == b"two\n"

    def test_on_screen(self, opened: Opened) -> None:
        """It is known where standard error and standard output are one."""
        screen, other = opened.terminal(), opened.pipe()[1]
        assert errors(opened.again(screen), screen).on_screen
        assert not errors(other, screen).on_screen


class StreamsTests:
    """The three streams together."""

    def test_standard(self, monkeypatch: pytest.MonkeyPatch, opened: Opened) -> None:
        """They are those of the process, also where one was closed."""
        reading, writing = opened.pipe()
        monkeypatch.setattr(sys, "stdin", reading)
        monkeypatch.setattr(sys, "stdout", writing)
        monkeypatch.setattr(sys, "stderr", None)
        assert Streams.standard() == Streams(reading, writing, None)

    def test_keyboard(self, opened: Opened) -> None:
        """Standard input is the keyboard."""
        assert Streams(opened.terminal(), None, None).keyboard is InputSource.PERSON

    def test_states(self, opened: Opened) -> None:
        """Lines about the conversation go to standard error."""
        reading, writing = opened.pipe()
        streams = Streams(None, opened.again(writing), writing)
        streams.status_output.write("Calling...\n")
        assert os.read(reading.fileno(), 100) == b"Calling...\n"
        assert streams.status_output.on_screen


class DescriptorTests:
    """A stream has a number as long as it is open."""

    def test_descriptor(self, opened: Opened) -> None:
        stream = opened.file()
        assert descriptor(stream) == stream.fileno()
        assert descriptor(None) is None
