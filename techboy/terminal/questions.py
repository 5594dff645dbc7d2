"""Questions to a person at a terminal, for options that were not given."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from techboy import exit_status
from techboy.terminal.streams import Streams

T = TypeVar("T")

ANSWER_TIMEOUT = 5.0
"""Seconds for a question to be on the screen before the answer is read."""


def ask(streams: Streams, question: str, default: T, read: Callable[[str], T]) -> T:
    """Ask ``question`` until ``read`` accepts the answer, and return its result; Enter means ``default``.

    ``read`` raises ValueError with a message for the user if the answer is invalid. The end of input and
    Ctrl-C end the program with status 0.
    """
    try:
        while True:
            answer = _answer(streams, question)
            if not answer:
                return default
            try:
                return read(answer)
            except ValueError as error:
                _write(streams, f"{error}\n")
    except (EOFError, KeyboardInterrupt):
        _write(streams, "\n")
        raise SystemExit(exit_status.OK) from None


def _answer(streams: Streams, question: str) -> str:
    assert streams.stdin is not None
    _write(streams, question)
    answer = streams.stdin.readline()
    if not answer:
        raise EOFError
    return answer.strip()


def _write(streams: Streams, text: str) -> None:
    streams.status_output.write(text)
    streams.status_output.settle(ANSWER_TIMEOUT)
