"""Asking a person at a terminal what the command line did not say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from techboy import exit_status
from techboy.terminal.streams import Streams

T = TypeVar("T")

ANSWER_TIMEOUT = 5.0
"""Seconds for a question to be on the screen before the answer is read."""


def ask(streams: Streams, question: str, default: T, read: Callable[[str], T]) -> T:
    """Put ``question`` until ``read`` takes the answer, raising no ValueError; Enter takes ``default``.

    The end of input and Ctrl-C end the program with 0, as nothing was begun yet.
    """
    try:
        while True:
            answer = _answer(streams, question)
            if not answer:
                return default
            try:
                return read(answer)
            except ValueError as refused:
                _write(streams, f"{refused}\n")
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
    streams.states.write(text)
    streams.states.settle(ANSWER_TIMEOUT)
