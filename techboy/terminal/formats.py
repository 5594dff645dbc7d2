"""How what is said is shown: the choices of ``--output``."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeAlias

from techboy.chat.conversation import Message
from techboy.wire.frames import ServerMessage
from techboy.wire.native import encode, milliseconds
from techboy.wire.plain import signature

Output: TypeAlias = Callable[[Message], str]
"""Returns what is to be shown of what somebody said."""

CHOICES = ("auto", "names", "bare", "json")


def named(clock: Callable[[float], str]) -> Output:
    """``juliet: text`` for each line, ``** juliet text`` for an action; the time first if it is past."""

    def output(words: Message) -> str:
        before = signature(words.author, words.kind)
        if words.past:
            before = f"[{clock(words.at)}] {before}"
        return before + words.text.replace("\n", f"\n{before}") + "\n"

    return output


def bare(words: Message) -> str:
    """What was said, byte for byte."""
    return f"{words.text}\n"


def json_lines(seconds: Callable[[], float]) -> Output:
    """One message of the native protocol for each line, as ``docs/protocol.rst`` has it.

    If ids are not known the lines are numbered from 1; if the time is not known it is the present one, by
    ``seconds``.
    """
    counted = itertools.count(1)

    def output(words: Message) -> str:
        at = milliseconds(words.at or seconds())
        ids = itertools.count(words.first) if words.first else counted
        return "".join(
            encode(ServerMessage(next(ids), at, words.author, line, words.kind)).decode()
            for line in words.text.split("\n")
        )

    return output


class Shown:
    """What was chosen: ``of_two`` in a conversation of two, ``of_many`` where others speak too.

    ``signed`` is for lines that say themselves who speaks.
    """

    def __init__(
        self, choice: str, terminal: bool, seconds: Callable[[], float], clock: Callable[[float], str]
    ) -> None:
        if choice == "json":
            self.of_two = self.of_many = self.signed = json_lines(seconds)
            return
        names = named(clock)
        self.of_two = names if choice == "names" or (choice == "auto" and terminal) else bare
        self.of_many = bare if choice == "bare" else names
        self.signed = bare
