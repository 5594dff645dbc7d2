"""Tests of what Juliet keeps from one run to the next."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.storage.client_store import SCHEMA, Keepsake, Known
from techboy.storage.interface import ACTION, TEXT, StorageError
from techboy.storage.schema import connect
from tests.marks import needs_permissions, needs_renaming
from tests.wire.texts import quick

KNOWN = Known("token", "0123456789abcdef", "garden", 58, "juliet")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a file that is not there."""
    return tmp_path / "juliet.sqlite"


@pytest.fixture
def keepsake(path: Path) -> Iterator[Keepsake]:
    """Give a new one."""
    with closing(Keepsake(path)) as keepsake:
        yield keepsake


def killed(path: Path) -> Keepsake:
    """Return what is kept if the program is killed now."""
    copy = path.with_name(f"{path.name}-copy")
    shutil.copy(path, copy)
    shutil.copy(path.with_name(path.name + "-wal"), copy.with_name(copy.name + "-wal"))
    return Keepsake(copy)


class KnownTests:
    """What is known is known in the next run."""

    def test_nothing(self, keepsake: Keepsake) -> None:
        """At first nothing is."""
        assert keepsake.known == Known(None, None, None, 0, None)
        assert keepsake.kept() == []

    @pytest.mark.parametrize("known", [KNOWN, Known(), Known(session="token", seen=3)])
    def test_known(self, keepsake: Keepsake, path: Path, known: Known) -> None:
        """All of it is stored, and nothing of what was known before stays."""
        keepsake.know(Known("other", "other", "other", 1, "other"))
        keepsake.know(known)
        assert keepsake.known == known
        with closing(killed(path)) as left:
            assert left.known == known

    def test_saw(self, keepsake: Keepsake, path: Path) -> None:
        """What was seen may be stored alone."""
        keepsake.saw(3)
        assert keepsake.known == Known(seen=3)
        keepsake.know(KNOWN)
        keepsake.saw(59)
        with closing(killed(path)) as left:
            assert left.known == keepsake.known == Known("token", "0123456789abcdef", "garden", 59, "juliet")

    @needs_permissions
    def test_private(self, keepsake: Keepsake, path: Path) -> None:
        """The token is nobody else's."""
        keepsake.know(KNOWN)
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


class OutboxTests:
    """What is not said yet is kept until it is."""

    @pytest.fixture
    def full(self, keepsake: Keepsake) -> Keepsake:
        """Give one that keeps six lines."""
        keepsake.keep(5, "a\n\nc")
        keepsake.keep(8, "d", ACTION)
        keepsake.keep(9, "é\n\U0001f339")
        return keepsake

    def test_kept(self, full: Keepsake, path: Path) -> None:
        """All lines are there as they were, with their numbers."""
        lines = [(5, "a\n\nc", TEXT), (8, "d", ACTION), (9, "é\n\U0001f339", TEXT)]
        assert full.kept() == lines
        with closing(killed(path)) as left:
            assert left.kept() == lines

    @pytest.mark.parametrize(
        ("before", "kept"),
        [
            (0, [(5, "a\n\nc", TEXT), (8, "d", ACTION), (9, "é\n\U0001f339", TEXT)]),
            (5, [(5, "a\n\nc", TEXT), (8, "d", ACTION), (9, "é\n\U0001f339", TEXT)]),
            (6, [(6, "\nc", TEXT), (8, "d", ACTION), (9, "é\n\U0001f339", TEXT)]),
            (7, [(7, "c", TEXT), (8, "d", ACTION), (9, "é\n\U0001f339", TEXT)]),
            (8, [(8, "d", ACTION), (9, "é\n\U0001f339", TEXT)]),
            (9, [(9, "é\n\U0001f339", TEXT)]),
            (10, [(10, "\U0001f339", TEXT)]),
            (11, []),
            (99, []),
        ],
    )
    def test_forget(self, full: Keepsake, path: Path, before: int, kept: list[tuple[int, str, str]]) -> None:
        """What is said is forgotten, in the middle of what was kept together too."""
        full.forget(before)
        assert full.kept() == kept
        with closing(killed(path)) as left:
            assert left.kept() == kept

    @pytest.mark.parametrize("first", [1, 4, 6, 8, 9, 1000])
    def test_replace(self, full: Keepsake, first: int) -> None:
        """All of it may get other numbers, lower or higher ones."""
        full.forget(6)
        full.replace(first)
        assert full.kept() == [
            (first, "\nc", TEXT),
            (first + 2, "d", ACTION),
            (first + 3, "é\n\U0001f339", TEXT),
        ]

    def test_sending(self, full: Keepsake, path: Path) -> None:
        """Up to where lines may have been sent is known in the next run, too, until they get new numbers."""
        assert full.tried == 1
        full.sending(8)
        full.sending(7)
        with closing(killed(path)) as left:
            assert left.tried == full.tried == 8
        full.replace(3)
        assert full.tried == 3

    @pytest.mark.parametrize(
        ("kept", "before", "tried"),
        [
            ([(1, "a\n\nc", TEXT), (4, "d\né", TEXT)], 1, 6),
            ([(1, "a\n\nc", TEXT)], 3, 4),
            ([(1, "a", TEXT)], 5, 5),
            ([], 1, 1),
        ],
    )
    def test_older(self, path: Path, kept: list[tuple[int, str, str]], before: int, tried: int) -> None:
        """In a file of a version that did not note it, all that is kept may have been sent."""
        with closing(connect(path, SCHEMA.upto(2))) as connection:
            connection.executemany(
                "INSERT INTO outbox (first, text) VALUES (?, ?)", [lines[:2] for lines in kept]
            )
            connection.execute("UPDATE known SET next = ?", (before,))
        with closing(Keepsake(path)) as keepsake:
            assert (keepsake.tried, keepsake.kept(), keepsake.next) == (tried, kept, before)

    def test_replace_nothing(self, keepsake: Keepsake) -> None:
        """Also where nothing is kept."""
        keepsake.replace(7)
        assert keepsake.kept() == []

    def test_twice(self, full: Keepsake) -> None:
        """A number is given once."""
        with pytest.raises(StorageError):
            full.keep(8, "x")
        assert full.kept() == [(5, "a\n\nc", TEXT), (8, "d", ACTION), (9, "é\n\U0001f339", TEXT)]

    def test_as_a_list(self, tmp_path: Path) -> None:
        """Whatever is done: it is a list of lines, and the number of the first of them."""
        paths = (tmp_path / str(number) for number in count())
        texts = st.lists(st.text("ab é", max_size=3), min_size=1, max_size=4)
        steps = st.one_of(
            texts.map(lambda lines: ("keep", lines)),
            st.integers(0, 6).map(lambda lines: ("forget", lines)),
            st.integers(1, 50).map(lambda first: ("replace", first)),
            st.just(("open", None)),
        )

        @quick
        @given(st.lists(steps, max_size=15))
        def check(done: list[tuple[str, object]]) -> None:
            path = next(paths)
            keepsake, first, lines = Keepsake(path), 1, []
            for step, value in done:
                if isinstance(value, list):
                    keepsake.keep(first + len(lines), "\n".join(value))
                    lines += value
                elif step == "forget" and isinstance(value, int):
                    said = min(value, len(lines))
                    first, lines = first + said, lines[said:]
                    keepsake.forget(first)
                elif isinstance(value, int):
                    first = value
                    keepsake.replace(first)
                else:
                    keepsake.close()
                    keepsake = Keepsake(path)
                kept = [
                    (number + place, line)
                    for number, text, _ in keepsake.kept()
                    for place, line in enumerate(text.split("\n"))
                ]
                assert kept == list(enumerate(lines, first))
            keepsake.close()

        check()


class FailureTests:
    """What can't be kept is said, and changes nothing."""

    @needs_renaming
    def test_away(self, keepsake: Keepsake, path: Path) -> None:
        """While the file is away nothing is taken for kept; all is as before when it is back."""
        keepsake.keep(1, "a\nb")
        keepsake.sending(2)
        elsewhere = path.with_name("elsewhere")
        path.rename(elsewhere)
        tries: list[Callable[[], None]] = [
            partial(keepsake.keep, 3, "c"),
            partial(keepsake.know, KNOWN),
            partial(keepsake.saw, 3),
            partial(keepsake.sending, 3),
            partial(keepsake.forget, 2),
            partial(keepsake.replace, 7),
        ]
        for each in tries:
            with pytest.raises(StorageError, match="removed or replaced"):
                each()
        elsewhere.rename(path)
        assert (keepsake.known, keepsake.kept(), keepsake.tried) == (Known(), [(1, "a\nb", TEXT)], 2)
        keepsake.keep(3, "c")
        assert len(keepsake.kept()) == 2

    def test_full(self, keepsake: Keepsake) -> None:
        """What was kept is still there, and more is when there is room."""
        keepsake.keep(1, "a\nb")
        keepsake._connection.execute("PRAGMA max_page_count = 1")
        tries: list[Callable[[], None]] = [
            partial(keepsake.keep, 3, "x" * 20_000),
            partial(keepsake.know, Known("x" * 20_000)),
        ]
        for each in tries:
            with pytest.raises(StorageError, match=r": database or disk is full$"):
                each()
        assert (keepsake.known, keepsake.kept()) == (Known(), [(1, "a\nb", TEXT)])
        keepsake._connection.execute("PRAGMA max_page_count = 1000")
        keepsake.keep(3, "x" * 20_000)
        assert len(keepsake.kept()) == 2

    def test_half_done(self, keepsake: Keepsake) -> None:
        """New numbers, or less of a text, are not given by half."""
        keepsake.keep(1, "a\nb")
        keepsake.keep(3, "c")
        keepsake._connection.execute(
            "CREATE TEMP TRIGGER fail BEFORE INSERT ON main.outbox BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        for each in (keepsake.forget, keepsake.replace):
            with pytest.raises(StorageError, match=r": no$"):
                each(2)
            assert keepsake.kept() == [(1, "a\nb", TEXT), (3, "c", TEXT)]

    def test_closed(self, path: Path) -> None:
        """After it was closed nothing is done any more."""
        keepsake = Keepsake(path)
        keepsake.close()
        tries: list[Callable[[], object]] = [
            partial(keepsake.know, KNOWN),
            partial(keepsake.saw, 3),
            keepsake.kept,
            partial(keepsake.keep, 1, "a"),
            partial(keepsake.forget, 1),
            partial(keepsake.replace, 1),
            partial(keepsake.sending, 1),
            lambda: keepsake.next,
            lambda: keepsake.tried,
        ]
        for each in tries:
            with pytest.raises(StorageError, match="closed database"):
                each()
        assert keepsake.known == Known()

    def test_refused(self, path: Path) -> None:
        """What is no file of this kind is not opened."""
        path.write_text("a rose by any other name")
        with pytest.raises(StorageError):
            Keepsake(path)

    def test_emptied(self, path: Path) -> None:
        """Nor is one from which somebody has taken the row that says what is known."""
        with closing(Keepsake(path)) as keepsake:
            keepsake._connection.execute("DELETE FROM known")
        with pytest.raises(StorageError, match="it is damaged"):
            Keepsake(path)
