"""The formats in which messages are shown: the choices of ``--output``."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeAlias

from techboy.chat.messages import Message
from techboy.wire.frames import ServerMessage
from techboy.wire.native import encode, milliseconds
from techboy.wire.plain import signature

MessageFormat: TypeAlias = Callable[[Message], str]
"""Returns the lines to show for a message, each with its LF."""

CHOICES = ("auto", "names", "bare", "json")


def names_format(clock: Callable[[float], str]) -> MessageFormat:
    """Return the format ``juliet: text``, or ``** juliet text`` for an action; history has the time first."""

    def output(message: Message) -> str:
        before = signature(message.author, message.kind)
        if message.past:
            before = f"[{clock(message.at)}] {before}"
        return before + message.text.replace("\n", f"\n{before}") + "\n"

    return output


def bare_format(message: Message) -> str:
    """Return the text of ``message`` alone."""
    return f"{message.text}\n"


def json_format(seconds: Callable[[], float]) -> MessageFormat:
    """Return the format of JSON lines: the native protocol's message object, see ``docs/protocol.rst``.

    Lines without an id are numbered from 1. Messages without a time get the current one from ``seconds``,
    in seconds since 1970.
    """
    counted = itertools.count(1)

    def output(message: Message) -> str:
        at = milliseconds(message.at or seconds())
        ids = itertools.count(message.first) if message.first else counted
        return "".join(
            encode(ServerMessage(next(ids), at, message.author, line, message.kind)).decode()
            for line in message.text.split("\n")
        )

    return output


class OutputFormats:
    """The formats for a ``choice`` of ``--output``: ``direct`` with one peer, ``multi_user`` with several.

    ``prefixed`` is for lines that begin with their author's name themselves.
    """

    def __init__(
        self, choice: str, terminal: bool, seconds: Callable[[], float], clock: Callable[[float], str]
    ) -> None:
        if choice == "json":
            self.direct = self.multi_user = self.prefixed = json_format(seconds)
            return
        names = names_format(clock)
        self.direct = names if choice == "names" or (choice == "auto" and terminal) else bare_format
        self.multi_user = bare_format if choice == "bare" else names
        self.prefixed = bare_format
