"""What is found out about a log and about transcripts, where something is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chaos.check import Entry, Transcript, check
from tests.chaos.lines import parts

ONE, TWO, THREE = "juliet1", "juliet2", "juliet3"
SAID = parts(3, 30, 1597)
LOG: list[Entry] = [
    (3 * number + at, author, SAID[author].line(number))
    for number in range(10)
    for at, author in enumerate(SAID, 1)
]


def shown_to(reader: str, log: Sequence[Entry]) -> list[Entry]:
    """Return what of ``log`` is to be shown to ``reader``."""
    return [entry for entry in log if entry[1] != reader]


def renumbered(log: Sequence[Entry]) -> list[Entry]:
    """Return ``log`` with ids without holes."""
    return [(line, author, text) for line, (_, author, text) in enumerate(log, 1)]


def written(entries: Sequence[Entry]) -> str:
    """Return ``entries`` as Juliet shows them."""
    return "".join(
        json.dumps({"id": line, "at": 1500, "from": author, "text": text}) + "\n"
        for line, author, text in entries
    )


def in_log(folder: Path, log: Sequence[Entry]) -> list[str]:
    """Return what is wrong where ``log`` was stored, and shown as it is."""
    transcripts = {reader: transcript(folder, reader, written(shown_to(reader, log))) for reader in SAID}
    return check(log, SAID, transcripts, len(log))


def in_transcript(folder: Path, *runs: str, settled: int = len(LOG)) -> list[str]:
    """Return what is wrong where `LOG` was stored, and ``runs`` were shown to the first."""
    return check(LOG, SAID, {ONE: transcript(folder, ONE, *runs)}, settled)


def transcript(folder: Path, reader: str, *runs: str) -> Transcript:
    """Return the transcript of ``runs``."""
    paths = [folder / f"{reader}.{number}" for number in range(len(runs))]
    for path, shown in zip(paths, runs, strict=True):
        path.write_text(shown, "utf-8")
    return Transcript(reader, paths)


class LogCheckTests:
    """What is found out about the log."""

    def test_as_it_should_be(self, tmp_path: Path) -> None:
        assert in_log(tmp_path, LOG) == []

    def test_lost(self, tmp_path: Path) -> None:
        log = renumbered(LOG[:12] + LOG[13:])
        assert in_log(tmp_path, log) == ["log, lines of juliet1: id 15 is line 5, lines 4 to 4 were to come"]

    def test_lost_at_the_end(self, tmp_path: Path) -> None:
        assert in_log(tmp_path, LOG[:-1]) == ["log, lines of juliet3: the last 1 of 10 are missing"]

    def test_doubled(self, tmp_path: Path) -> None:
        log = renumbered([*LOG[:13], LOG[12], *LOG[13:]])
        assert in_log(tmp_path, log) == ["log, lines of juliet1: id 14 is line 4, which was to come before"]

    def test_swapped(self, tmp_path: Path) -> None:
        log = renumbered([*LOG[:12], LOG[15], LOG[13], LOG[14], LOG[12], *LOG[16:]])
        assert in_log(tmp_path, log) == [
            "log, lines of juliet1: id 13 is line 5, lines 4 to 4 were to come",
            "log, lines of juliet1: id 16 is line 4, which was to come before",
        ]

    def test_of_the_wrong_author(self, tmp_path: Path) -> None:
        line, _, text = LOG[12]
        log = [*LOG[:12], (line, TWO, text), *LOG[13:]]
        wrong = in_log(tmp_path, log)
        assert wrong[0] == "log, lines of juliet1: id 16 is line 5, lines 4 to 4 were to come"
        assert wrong[1].startswith("log, lines of juliet2: id 13 is 'juliet1 4")

    def test_of_a_stranger(self, tmp_path: Path) -> None:
        wrong = in_log(tmp_path, [*LOG, (len(LOG) + 1, "romeo", "boo")])
        assert wrong == ["log: id 31 is of 'romeo', who said nothing"]

    def test_hole(self, tmp_path: Path) -> None:
        log = [*LOG[:-1], (len(LOG) + 1, *LOG[-1][1:])]
        assert in_log(tmp_path, log) == ["log: id 31 after 29"]

    def test_another_text(self, tmp_path: Path) -> None:
        log = [*LOG[:12], (13, ONE, "boo"), *LOG[13:]]
        assert in_log(tmp_path, log) == ["log, lines of juliet1: id 13 is 'boo', line 4 was to come"]

    def test_too_much_is_wrong(self, tmp_path: Path) -> None:
        """The first differences are told, and no more."""
        log = [(line, author, f"no {text}" if author == ONE else text) for line, author, text in LOG]
        assert 1 < len(in_log(tmp_path, log)) < 10


class TranscriptCheckTests:
    """What is found out about what was shown to a reader."""

    shown = shown_to(ONE, LOG)

    def test_as_it_should_be(self, tmp_path: Path) -> None:
        assert in_transcript(tmp_path, written(self.shown)) == []

    def test_lost(self, tmp_path: Path) -> None:
        wrong = in_transcript(tmp_path, written(self.shown[:6] + self.shown[8:]))
        assert wrong == ["shown to juliet1: 2 lines of the ids 11 to 12 are missing"]

    def test_lost_at_the_end(self, tmp_path: Path) -> None:
        wrong = in_transcript(tmp_path, written(self.shown[:-2]))
        assert wrong == ["shown to juliet1: 2 lines of the ids 29 to 30 are missing"]

    def test_who_left_early(self, tmp_path: Path) -> None:
        """After everything was settled a transcript may end, but not have a hole."""
        assert in_transcript(tmp_path, written(self.shown[:-2]), settled=27) == []
        wrong = in_transcript(tmp_path, written([*self.shown[:-2], self.shown[-1]]), settled=27)
        assert wrong == ["shown to juliet1: 1 lines of the ids 29 to 29 are missing"]

    def test_doubled(self, tmp_path: Path) -> None:
        wrong = in_transcript(tmp_path, written([*self.shown[:7], self.shown[6], *self.shown[7:]]))
        assert wrong == ["shown to juliet1: id 11 once more, or out of order"]

    def test_swapped(self, tmp_path: Path) -> None:
        swapped = [*self.shown[:6], self.shown[7], self.shown[6], *self.shown[8:]]
        assert in_transcript(tmp_path, written(swapped)) == [
            "shown to juliet1: 1 lines of the ids 11 to 11 are missing",
            "shown to juliet1: id 11 once more, or out of order",
        ]

    @pytest.mark.parametrize("wrong", [(11, THREE, LOG[10][2]), (11, TWO, "boo")])
    def test_another_line(self, tmp_path: Path, wrong: Entry) -> None:
        """An author or a text that is another."""
        shown = [*self.shown[:6], wrong, *self.shown[7:]]
        [finding] = in_transcript(tmp_path, written(shown))
        assert finding.startswith(f"shown to juliet1: id 11 as {wrong[1:]!r}"[:40])

    def test_own_line(self, tmp_path: Path) -> None:
        shown = [*self.shown[:6], LOG[9], *self.shown[6:]]
        wrong = in_transcript(tmp_path, written(shown))
        assert wrong == ["shown to juliet1: id 10, which is a line of the reader"]

    def test_not_in_the_log(self, tmp_path: Path) -> None:
        wrong = in_transcript(tmp_path, written([*self.shown, (31, TWO, "boo")]))
        assert wrong == ["shown to juliet1: id 31, which is not in the log"]

    @pytest.mark.parametrize("line", ["boo", '{"id": 11}', "[]"])
    def test_no_line(self, tmp_path: Path, line: str) -> None:
        shown = f"{written(self.shown[:6])}{line}\n{written(self.shown[6:])}"
        [finding] = in_transcript(tmp_path, shown)
        assert "is no line said" in finding

    def test_last_lines_after_a_kill(self, tmp_path: Path) -> None:
        """They may stand again, and the last may be there in part, and one may be killed at that, too."""
        torn = written(self.shown[10:11])[:20]
        runs = [self.shown[:10], self.shown[7:9], self.shown[8:10], self.shown[9:]]
        files = [written(runs[0]) + torn, written(runs[1]), written(runs[2]), written(runs[3])]
        assert in_transcript(tmp_path, *files) == []

    def test_other_lines_after_a_kill(self, tmp_path: Path) -> None:
        """What stands again is what stood there."""
        again = [(self.shown[8][0], TWO, "boo"), *self.shown[9:]]
        wrong = in_transcript(tmp_path, written(self.shown[:10]), written(again))
        assert wrong == [
            "shown to juliet1: the 2 old lines at the beginning of juliet1.1 are not as they were"
        ]

    def test_lost_in_a_kill(self, tmp_path: Path) -> None:
        wrong = in_transcript(tmp_path, written(self.shown[:10]), written(self.shown[11:]))
        assert wrong == ["shown to juliet1: 1 lines of the ids 17 to 17 are missing"]

    def test_torn_without_a_kill(self, tmp_path: Path) -> None:
        wrong = in_transcript(tmp_path, written(self.shown)[:-1])
        assert wrong[0] == "shown to juliet1: juliet1.0 ends within a line"
        assert len(wrong) == 2
