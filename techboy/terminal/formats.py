"""How what is said is shown: the choices of ``--output``."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import TypeAlias

from techboy.chat.conversation import Words
from techboy.wire.plain import signature

Output: TypeAlias = Callable[[Words], str]
"""Returns what is to be shown of what somebody said."""

CHOICES = ("auto", "names", "bare", "json")


def named(clock: Callable[[float], str]) -> Output:
    """``juliet: text`` for each line, ``** juliet text`` for an action; the time first if it is past."""

    def output(words: Words) -> str:
        before = signature(words.author, words.kind)
        if words.past:
            before = f"[{clock(words.at)}] {before}"
        return before + words.text.replace("\n", f"\n{before}") + "\n"

    return output


def bare(words: Words) -> str:
    """What was said, byte for byte."""
    return f"{words.text}\n"


def json_lines(seconds: Callable[[], float]) -> Output:
    """One JSON object a line: ``id``, ``at`` (seconds since 1970), ``from``, ``text``.

    Where ids are not known the lines are counted from 1, where the time is not known it is now, by
    ``seconds``. What somebody does instead of saying it has a ``kind`` too.
    """
    counted = itertools.count(1)

    def output(words: Words) -> str:
        at = round(words.at or seconds(), 3)
        ids = itertools.count(words.first) if words.first else counted
        kind = {} if words.kind == "say" else {"kind": words.kind}
        return "".join(
            json.dumps(
                {"id": next(ids), "at": at, "from": words.author, **kind, "text": line}, ensure_ascii=False
            )
            + "\n"
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
