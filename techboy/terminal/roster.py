"""Who is here, as far as the notices of a house tell, for whoever completes names."""

from __future__ import annotations

import re

from techboy.chat.nicknames import MAX_LENGTH

MAX_NAMES = 1000
"""Names that are remembered at most; who was neither heard nor told of for longest is forgotten first."""

_NAME = rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}"
_ONE = re.compile(_NAME)
_AWAY = " (away)"
_MORE = r"(?P<more> and \d+ more)?"

# the whole of a notice, so that none of those that quote somebody is one of these
_HERE = re.compile(rf"\d+ here: (?P<names>{_NAME}(?: \(away\))?(?:, {_NAME}(?: \(away\))?)*){_MORE}")
_CAME_OR_WENT = re.compile(rf"(?P<names>{_NAME}(?:, {_NAME})*){_MORE} (?P<what>joined|left)")
_RENAMED = re.compile(rf"(?P<before>{_NAME}) is now (?P<name>{_NAME})")
_YOU_ARE = re.compile(rf"you are (?P<name>{_NAME})(?: now)?")
_WELCOME = re.compile(rf"welcome to {_NAME}, (?P<name>{_NAME}); .*")


class Roster:
    """The names of those who are here, and what whoever is at this end is called: ``name`` at first.

    It is told only what a house says itself, never what somebody in it does: anybody can say that everybody
    left. Names are compared without case.
    """

    def __init__(self, name: str) -> None:
        self.own_name = name
        self._names: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """The others who are here, in the order of their names."""
        own = self.own_name.lower()
        return [name for key, name in sorted(self._names.items()) if key != own]

    def called(self, name: str) -> None:
        """Whoever is at this end is called ``name``."""
        self.own_name = name

    def heard(self, author: str) -> None:
        """``author`` said something, and so is here."""
        if _ONE.fullmatch(author):
            self._add(author)

    def noticed(self, text: str) -> None:
        """The house told a line, with or without the asterisk of a notice; few tell who is here."""
        line = text.removeprefix("* ")
        if found := _CAME_OR_WENT.fullmatch(line):
            change = self._add if found["what"] == "joined" else self._remove
            for name in found["names"].split(", "):
                change(name)
        elif found := _HERE.fullmatch(line):
            self._list(found["names"].replace(_AWAY, "").split(", "), whole=found["more"] is None)
        elif found := _RENAMED.fullmatch(line):
            self._rename(found["before"], found["name"])
        elif found := _YOU_ARE.fullmatch(line):
            self._rename(self.own_name, found["name"])
        elif found := _WELCOME.fullmatch(line):
            self._names.clear()  # it is another room, and who is in it is told next
            self.own_name = found["name"]

    def _add(self, name: str) -> None:
        self._remove(name)
        self._names[name.lower()] = name
        if len(self._names) > MAX_NAMES:
            del self._names[next(iter(self._names))]

    def _remove(self, name: str) -> None:
        self._names.pop(name.lower(), None)

    def _rename(self, before: str, name: str) -> None:
        self._remove(before)
        self._add(name)
        if before.lower() == self.own_name.lower():
            self.own_name = name

    def _list(self, names: list[str], *, whole: bool) -> None:
        """Take note of a list of who is here, which is not the ``whole`` of it where there are too many."""
        if whole:
            self._names.clear()
        for name in names:
            self._add(name)
