"""Completion at a prompt: commands, and the names of those who are here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from techboy.chat.commands import COMMANDS, Command, Permission
from techboy.chat.nicknames import MAX_LENGTH
from techboy.terminal import bell


class Offer(NamedTuple):
    """A command that may be given here: ``arguments`` as help shows them."""

    name: str
    arguments: str
    help: str

    @property
    def usage(self) -> str:
        """How it is written."""
        return f"/{self.name} {self.arguments}".rstrip()


_BELL = Offer("bell", bell.ARGUMENTS, bell.HELP)


def _offers(commands: Iterable[Command]) -> tuple[Offer, ...]:
    return (*(Offer(command.name, command.arguments, command.help) for command in commands), _BELL)


HOST = _offers(COMMANDS)
"""What the host of a house can do."""

GUEST = _offers(command for command in COMMANDS if command.permission is Permission.EVERYONE)
"""What a guest in a house can do."""

DIRECT = (Offer("ping", "", "show when the peer was last heard, and how many lines wait"), _BELL)
"""What can be done in a conversation of two."""

_NEW_NAMES = {"nick", "join"}  # what they want is not the name of somebody who is here

# as much of a name as stands before the cursor, at the beginning of a word, not within a word or a path
_BEGUN = re.compile(rf"(?:^|(?<=[\s(@,;:'\"]))[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}\Z")
_COMMAND = re.compile(r"/[A-Za-z]*")
_FIRST_ARGUMENT = re.compile(r"/(?P<command>[A-Za-z]+)[ \t](?P<begun>\S*)")


class CommandCompleter(Completer):
    """Completes the line that is typed; ``commands`` and ``names`` are asked each time what there is."""

    def __init__(self, commands: Callable[[], Sequence[Offer]], names: Callable[[], Sequence[str]]) -> None:
        self._commands, self._names = commands, names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield how the line before the cursor may go on."""
        line = document.current_line_before_cursor
        first = _FIRST_ARGUMENT.fullmatch(line)
        if _COMMAND.fullmatch(line):
            yield from self._commands_from(line)
        elif first is not None and (offer := self._offer(first["command"])) is not None:
            yield from _words(_wanted(offer, self._names), first["begun"])
        elif (begun := _BEGUN.search(line)) is not None:
            yield from _words(self._names(), begun[0], ": " if begun[0] == line else "")

    def _commands_from(self, line: str) -> Iterator[Completion]:
        for offer in self._commands():
            if offer.name.startswith(line[1:].lower()):
                whole = f"/{offer.name} " if offer.arguments else f"/{offer.name}"
                yield Completion(whole, -len(line), display=offer.usage, display_meta=offer.help)

    def _offer(self, name: str) -> Offer | None:
        """Return the command ``name`` if it is known what its first argument has to be."""
        for offer in self._commands():
            if offer.name == name.lower() and not offer.arguments.strip("[]").startswith("TEXT"):
                return offer
        return None


def _wanted(offer: Offer, names: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Return what the first argument of a command may be, as far as that is known."""
    wanted = offer.arguments.partition(" ")[0].strip("[]")
    if wanted == "NAME":
        return () if offer.name in _NEW_NAMES else names()
    return wanted.split("|") if "|" in wanted else ()


def _words(words: Sequence[str], begun: str, ending: str = "") -> Iterator[Completion]:
    """Yield those of ``words`` that begin so, in any case."""
    for word in words:
        if word.lower().startswith(begun.lower()):
            yield Completion(word + ending, -len(begun), display=word)
