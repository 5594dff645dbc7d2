"""How what is said is shown: the choices of ``--output``."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import TypeAlias

Output: TypeAlias = Callable[[str, str], str]
"""Given an author and what it said, lines joined by LF, returns what is to be shown."""

CHOICES = ("auto", "names", "bare", "json")


def names(author: str, text: str) -> str:
    """``juliet: text`` for each line."""
    return f"{author}: " + text.replace("\n", f"\n{author}: ") + "\n"


def bare(author: str, text: str) -> str:
    """What was said, byte for byte."""
    return f"{text}\n"


def json_lines(seconds: Callable[[], float]) -> Output:
    """One JSON object a line: ``id`` (counted from 1), ``at`` (seconds since 1970), ``from``, ``text``."""
    ids = itertools.count(1)

    def output(author: str, text: str) -> str:
        at = round(seconds(), 3)
        return "".join(
            json.dumps({"id": next(ids), "at": at, "from": author, "text": line}, ensure_ascii=False) + "\n"
            for line in text.split("\n")
        )

    return output


def chosen(choice: str, terminal: bool, seconds: Callable[[], float]) -> Output:
    """Return the output for ``choice``, one of CHOICES; ``terminal``: a terminal shows it."""
    if choice == "json":
        return json_lines(seconds)
    if choice == "names" or (choice == "auto" and terminal):
        return names
    return bare
