"""Completion of commands and nicknames at the prompt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from techboy.chat.commands import COMMANDS, Command, Permission
from techboy.chat.nicknames import MAX_LENGTH
from techboy.terminal import bell


class CommandUsage(NamedTuple):
    """A command that can be completed; ``arguments`` as shown in its help."""

    name: str
    arguments: str
    help: str

    @property
    def text(self) -> str:
        """The command with its arguments."""
        return f"/{self.name} {self.arguments}".rstrip()


_BELL = CommandUsage("bell", bell.ARGUMENTS, bell.HELP)


def _usages(commands: Iterable[Command]) -> tuple[CommandUsage, ...]:
    return (*(CommandUsage(command.name, command.arguments, command.help) for command in commands), _BELL)


OPERATOR_COMMANDS = _usages(COMMANDS)
"""The commands of the operator."""

MEMBER_COMMANDS = _usages(command for command in COMMANDS if command.permission is Permission.EVERYONE)
"""The commands of every other member."""

DIRECT_COMMANDS = (
    CommandUsage("ping", "", "show the time since the peer was last active, and the number of waiting lines"),
    _BELL,
)
"""The commands of a conversation without rooms."""

_NEW_NAMES = {"nick", "join"}  # their argument is not the name of a member

# the beginning of a nickname before the cursor, at the start of a word, not within a word or a path
_PARTIAL_NAME = re.compile(rf"(?:^|(?<=[\s(@,;:'\"]))[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}\Z")
_COMMAND = re.compile(r"/[A-Za-z]*")
_FIRST_ARGUMENT = re.compile(r"/(?P<command>[A-Za-z]+)[ \t](?P<prefix>\S*)")


class CommandCompleter(Completer):
    """Completes the input; ``commands`` and ``names`` return the current commands and nicknames."""

    def __init__(
        self, commands: Callable[[], Sequence[CommandUsage]], names: Callable[[], Sequence[str]]
    ) -> None:
        self._commands, self._names = commands, names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield the completions of the line before the cursor."""
        line = document.current_line_before_cursor
        first = _FIRST_ARGUMENT.fullmatch(line)
        if _COMMAND.fullmatch(line):
            yield from self._complete_command(line)
        elif first is not None and (usage := self._usage(first["command"])) is not None:
            yield from _matching(_argument_choices(usage, self._names), first["prefix"])
        elif (prefix := _PARTIAL_NAME.search(line)) is not None:
            yield from _matching(self._names(), prefix[0], ": " if prefix[0] == line else "")

    def _complete_command(self, line: str) -> Iterator[Completion]:
        for usage in self._commands():
            if usage.name.startswith(line[1:].lower()):
                whole = f"/{usage.name} " if usage.arguments else f"/{usage.name}"
                yield Completion(whole, -len(line), display=usage.text, display_meta=usage.help)

    def _usage(self, name: str) -> CommandUsage | None:
        """Return the command ``name``, None if it is unknown or takes free text."""
        for usage in self._commands():
            if usage.name == name.lower() and not usage.arguments.strip("[]").startswith("TEXT"):
                return usage
        return None


def _argument_choices(usage: CommandUsage, names: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Return the possible values of the first argument, empty if they are unknown."""
    argument = usage.arguments.partition(" ")[0].strip("[]")
    if argument == "NAME":
        return () if usage.name in _NEW_NAMES else names()
    return argument.split("|") if "|" in argument else ()


def _matching(words: Sequence[str], prefix: str, ending: str = "") -> Iterator[Completion]:
    """Yield completions for those of ``words`` that begin with ``prefix``, regardless of case."""
    for word in words:
        if word.lower().startswith(prefix.lower()):
            yield Completion(word + ending, -len(prefix), display=word)
