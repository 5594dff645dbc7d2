"""The members of the room, as far as a plain client can tell from notices; for completion of nicknames."""

from __future__ import annotations

import re

from techboy.chat.nicknames import MAX_LENGTH

MAX_NAMES = 1000
"""Nicknames that are kept; the one that was not mentioned or active for longest is dropped first."""

_NAME = rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}"
_VALID_NAME = re.compile(_NAME)
_AWAY = " (away)"
_MORE = r"(?P<more> and \d+ more)?"

# these match the whole of a notice, so that notices that quote a member do not match
_MEMBERS = re.compile(rf"\d+ here: (?P<names>{_NAME}(?: \(away\))?(?:, {_NAME}(?: \(away\))?)*){_MORE}")
_JOINED_OR_LEFT = re.compile(rf"(?P<names>{_NAME}(?:, {_NAME})*){_MORE} (?P<what>joined|left)")
_RENAMED = re.compile(rf"(?P<before>{_NAME}) is now (?P<name>{_NAME})")
_YOU_ARE = re.compile(rf"you are (?P<name>{_NAME})(?: now)?")
_WELCOME = re.compile(rf"welcome to {_NAME}, (?P<name>{_NAME}); .*")


class Roster:
    """The nicknames of the members, and the user's own, ``name`` at first.

    Only notices of the server must be passed to it, never messages, in which a member could claim anything.
    Nicknames are compared regardless of case.
    """

    def __init__(self, name: str) -> None:
        self.own_name = name
        self._names: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """The nicknames of the other members, sorted."""
        own = self.own_name.lower()
        return [name for key, name in sorted(self._names.items()) if key != own]

    def set_own_name(self, name: str) -> None:
        """Set the user's nickname."""
        self.own_name = name

    def message_received(self, author: str) -> None:
        """Add the ``author`` of a message."""
        if _VALID_NAME.fullmatch(author):
            self._add(author)

    def notice_received(self, text: str) -> None:
        """Update the roster by a notice of the server, with or without its asterisk."""
        line = text.removeprefix("* ")
        if found := _JOINED_OR_LEFT.fullmatch(line):
            change = self._add if found["what"] == "joined" else self._remove
            for name in found["names"].split(", "):
                change(name)
        elif found := _MEMBERS.fullmatch(line):
            self._list(found["names"].replace(_AWAY, "").split(", "), complete=found["more"] is None)
        elif found := _RENAMED.fullmatch(line):
            self._rename(found["before"], found["name"])
        elif found := _YOU_ARE.fullmatch(line):
            self._rename(self.own_name, found["name"])
        elif found := _WELCOME.fullmatch(line):
            self._names.clear()  # a new room, whose members are listed next
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

    def _list(self, names: list[str], *, complete: bool) -> None:
        """Add the listed ``names``, and drop all others if the list is ``complete``."""
        if complete:
            self._names.clear()
        for name in names:
            self._add(name)
