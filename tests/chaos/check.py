"""Whether nothing is lost: what was said, what the log holds and what was shown are compared line by line."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from tests.chaos.lines import Part

Entry: TypeAlias = tuple[int, str, str]
"""A line: its id, its author and its text."""

_FINDINGS = 5
"""So many differences are told of each comparison; what comes after them often comes of them."""

_REPEATED = 100_000
"""Lines shown before a kill that can be recognised after it."""

_NEAR = 3
_SHORT = 60


class Comparison:
    """Something that is compared line by line, and what is wrong with it: the first ``findings``."""

    def __init__(self, subject: str) -> None:
        self.findings: list[str] = []
        self._subject = subject

    @property
    def failed(self) -> bool:
        """So much is wrong that it is not compared any further."""
        return len(self.findings) >= _FINDINGS

    def found(self, what: str) -> None:
        """Something is wrong."""
        if not self.failed:
            self.findings.append(f"{self._subject}: {what}")


class Stored(Comparison):
    """The lines of one author in the log, which are to be exactly what was given to its program."""

    def __init__(self, part: Part) -> None:
        super().__init__(f"log, lines of {part.author}")
        self._part, self._next = part, 0
        self._numbered = re.compile(rf"{part.author} (\d+)\b")

    def take(self, entry: Entry) -> None:
        """Compare the next one."""
        line, _, text = entry
        if self._part.holds(self._next, text):
            self._next += 1
            return
        place = self._place(text)
        if place is None:
            self.found(f"id {line} is {short(text)}, line {self._next} was to come")
            place = self._next
        elif place < self._next:
            self.found(f"id {line} is line {place}, which was to come before")
            return
        else:
            self.found(f"id {line} is line {place}, lines {self._next} to {place - 1} were to come")
        self._next = place + 1

    def end(self) -> None:
        """No more of them come."""
        if self._next < self._part.count:
            self.found(f"the last {self._part.count - self._next} of {self._part.count} are missing")

    def _place(self, text: str) -> int | None:
        match = self._numbered.search(text)
        near = range(max(0, self._next - _NEAR), self._next + _NEAR)
        places = near if match is None else [int(match[1])]
        return next((at for at in places if self._part.holds(at, text)), None)


class Transcript(Comparison):
    """What was shown to one reader, in files: ``runs``, of which each but the last was ended by a kill.

    The last lines before a kill may stand again after it; the last of them may stand there in part.
    ``repeated``: the most lines that did.
    """

    def __init__(self, reader: str, runs: Sequence[Path]) -> None:
        super().__init__(f"shown to {reader}")
        self.repeated = 0
        self._runs = runs
        self._last, self._recent = 0, deque[int](maxlen=_REPEATED)

    def __iter__(self) -> Iterator[Entry]:
        for number, run in enumerate(self._runs):
            yield from self._run(run, killed=number < len(self._runs) - 1)

    def _run(self, run: Path, killed: bool) -> Iterator[Entry]:
        entries, repeated = self._entries(run, killed), []
        for entry in entries:
            if entry[0] > self._last:
                yield self._new(entry)
                break
            repeated.append(hash(entry))
        self._compare(repeated, run)
        for entry in entries:
            yield self._new(entry)

    def _new(self, entry: Entry) -> Entry:
        self._last = entry[0]
        self._recent.append(hash(entry))
        return entry

    def _compare(self, repeated: list[int], run: Path) -> None:
        self.repeated = max(self.repeated, len(repeated))
        before = list(self._recent)
        start = before.index(repeated[0]) if repeated and repeated[0] in self._recent else 0
        if before[start : start + len(repeated)] != repeated:
            self.found(f"the {len(repeated)} old lines at the beginning of {run.name} are not as they were")

    def _entries(self, run: Path, killed: bool) -> Iterator[Entry]:
        with run.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield from self._entry(line)
                elif not killed:
                    self.found(f"{run.name} ends within a line")

    def _entry(self, line: bytes) -> Iterator[Entry]:
        try:
            fields = json.loads(line)
            yield fields["id"], fields["from"], fields["text"]
        except (ValueError, TypeError, KeyError) as error:
            self.found(f"{short(line)} is no line said: {error!r}")


class Shown:
    """A transcript beside the log, of which it is to hold all but the lines of its reader.

    It may end anywhere after the id ``settled``.
    """

    def __init__(self, reader: str, transcript: Transcript, settled: int) -> None:
        self._reader, self._transcript, self._settled = reader, transcript, settled
        self._entries = iter(transcript)
        self._missing: list[int] = []
        self._advance()

    def take(self, entry: Entry) -> None:
        """Compare what stands next in the log."""
        while self._next is not None and self._next[0] < entry[0]:
            self._found(f"id {self._next[0]} once more, or out of order")
            self._advance()
        if self._next is None or self._next[0] > entry[0]:
            self._is_missing(entry)
            return
        self._end_missing()
        if entry[1] == self._reader:
            self._found(f"id {entry[0]}, which is a line of the reader")
        elif self._next != entry:
            self._found(f"id {entry[0]} as {short(self._next[1:])}, it is {short(entry[1:])}")
        self._advance()

    def end(self) -> None:
        """The log is at its end."""
        self._end_missing()
        while self._next is not None:
            self._found(f"id {self._next[0]}, which is not in the log")
            self._advance()

    def _is_missing(self, entry: Entry) -> None:
        if entry[1] != self._reader and (self._next is not None or entry[0] <= self._settled):
            self._missing.append(entry[0])

    def _end_missing(self) -> None:
        if self._missing:
            first, last, count = self._missing[0], self._missing[-1], len(self._missing)
            self._found(f"{count} lines of the ids {first} to {last} are missing")
        self._missing = []

    def _found(self, what: str) -> None:
        self._transcript.found(what)

    def _advance(self) -> None:
        self._next = None if self._transcript.failed else next(self._entries, None)


def check(
    log: Iterable[Entry], said: Mapping[str, Part], transcripts: Mapping[str, Transcript], settled: int
) -> list[str]:
    """Return what is wrong with ``log`` and with ``transcripts``, each of an author.

    Transcripts are to be complete up to the id ``settled``, and without a hole after it.
    """
    ids = Comparison("log")
    stored = {author: Stored(part) for author, part in said.items()}
    shown = {author: Shown(author, transcript, settled) for author, transcript in transcripts.items()}
    last = 0
    for entry in log:
        if entry[0] != last + 1:
            ids.found(f"id {entry[0]} after {last}")
        last = entry[0]
        if entry[1] not in stored:
            ids.found(f"id {last} is of {entry[1]!r}, who said nothing")
        elif not stored[entry[1]].failed:
            stored[entry[1]].take(entry)
        for reader in shown.values():
            reader.take(entry)
    for part in stored.values():
        part.end()
    for reader in shown.values():
        reader.end()
    compared: list[Comparison] = [ids, *stored.values(), *transcripts.values()]
    return [finding for comparison in compared for finding in comparison.findings]


def short(value: object) -> str:
    """Return ``value`` for a report."""
    text = repr(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"
