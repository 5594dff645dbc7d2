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

from techboy.storage.client_store import ClientState, ClientStore
from techboy.storage.interface import ACTION, TEXT, StorageError
from tests.marks import needs_permissions, needs_renaming
from tests.wire.texts import quick

KNOWN = ClientState("token", "0123456789abcdef", "garden", 58, "juliet")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a file that is not there."""
    return tmp_path / "juliet.sqlite"


@pytest.fixture
def client_store(path: Path) -> Iterator[ClientStore]:
    """Give a new one."""
    with closing(ClientStore(path)) as client_store:
        yield client_store


def killed(path: Path) -> ClientStore:
    """Return what is kept if the program is killed now."""
    copy = path.with_name(f"{path.name}-copy")
    shutil.copy(path, copy)
    shutil.copy(path.with_name(path.name + "-wal"), copy.with_name(copy.name + "-wal"))
    return ClientStore(copy)


class KnownTests:
    """What is known is known in the next run."""

    def test_nothing(self, client_store: ClientStore) -> None:
        """At first nothing is."""
        assert client_store.known == ClientState(None, None, None, 0, None)
        assert client_store.kept() == []

    @pytest.mark.parametrize("known", [KNOWN, ClientState(), ClientState(session="token", seen=3)])
    def test_known(self, client_store: ClientStore, path: Path, known: ClientState) -> None:
        """All of it is stored, and nothing of what was known before stays."""
        client_store.save_session(ClientState("other", "other", "other", 1, "other"))
        client_store.save_session(known)
        assert client_store.known == known
        with closing(killed(path)) as left:
            assert left.known == known

    def test_saw(self, client_store: ClientStore, path: Path) -> None:
        """What was seen may be stored alone."""
        client_store.save_seen(3)
        assert client_store.known == ClientState(seen=3)
        client_store.save_session(KNOWN)
        client_store.save_seen(59)
        with closing(killed(path)) as left:
            assert (
                left.known
                == client_store.known
                == ClientState("token", "0123456789abcdef", "garden", 59, "juliet")
            )

    @needs_permissions
    def test_private(self, client_store: ClientStore, path: Path) -> None:
        """The token is nobody else's."""
        client_store.save_session(KNOWN)
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


class OutboxTests:
    """What is not said yet is kept until it is."""

    @pytest.fixture
    def full(self, client_store: ClientStore) -> ClientStore:
        """Give one that keeps six lines."""
        client_store.save(5, "a\n\nc")
        client_store.save(8, "d", ACTION)
        client_store.save(9, "é\n\U0001f339")
        return client_store

    def test_kept(self, full: ClientStore, path: Path) -> None:
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
    def test_forget(
        self, full: ClientStore, path: Path, before: int, kept: list[tuple[int, str, str]]
    ) -> None:
        """What is said is forgotten, in the middle of what was kept together too."""
        full.forget(before)
        assert full.kept() == kept
        with closing(killed(path)) as left:
            assert left.kept() == kept

    @pytest.mark.parametrize("first", [1, 4, 6, 8, 9, 1000])
    def test_replace(self, full: ClientStore, first: int) -> None:
        """All of it may get other numbers, lower or higher ones."""
        full.forget(6)
        full.replace(first)
        assert full.kept() == [
            (first, "\nc", TEXT),
            (first + 2, "d", ACTION),
            (first + 3, "é\n\U0001f339", TEXT),
        ]

    def test_sending(self, full: ClientStore, path: Path) -> None:
        """Up to where lines may have been sent is known in the next run, too, until they get new numbers."""
        assert full.tried == 1
        full.sending(8)
        full.sending(7)
        with closing(killed(path)) as left:
            assert left.tried == full.tried == 8
        full.replace(3)
        assert full.tried == 3

    def test_replace_nothing(self, client_store: ClientStore) -> None:
        """Also where nothing is kept."""
        client_store.replace(7)
        assert client_store.kept() == []

    def test_twice(self, full: ClientStore) -> None:
        """A number is given once."""
        with pytest.raises(StorageError):
            full.save(8, "x")
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
            client_store, first = ClientStore(path), 1
            lines: list[str] = []
            for step, value in done:
                if isinstance(value, list):
                    client_store.save(first + len(lines), "\n".join(value))
                    lines += value
                elif step == "forget" and isinstance(value, int):
                    said = min(value, len(lines))
                    first, lines = first + said, lines[said:]
                    client_store.forget(first)
                elif isinstance(value, int):
                    first = value
                    client_store.replace(first)
                else:
                    client_store.close()
                    client_store = ClientStore(path)
                kept = [
                    (number + place, line)
                    for number, text, _ in client_store.kept()
                    for place, line in enumerate(text.split("\n"))
                ]
                assert kept == list(enumerate(lines, first))
            client_store.close()

        check()


class FailureTests:
    """What can't be kept is said, and changes nothing."""

    @needs_renaming
    def test_away(self, client_store: ClientStore, path: Path) -> None:
        """While the file is away nothing is taken for kept; all is as before when it is back."""
        client_store.save(1, "a\nb")
        client_store.sending(2)
        elsewhere = path.with_name("elsewhere")
        path.rename(elsewhere)
        tries: list[Callable[[], None]] = [
            partial(client_store.save, 3, "c"),
            partial(client_store.save_session, KNOWN),
            partial(client_store.save_seen, 3),
            partial(client_store.sending, 3),
            partial(client_store.forget, 2),
            partial(client_store.replace, 7),
        ]
        for each in tries:
            with pytest.raises(StorageError, match="removed or replaced"):
                each()
        elsewhere.rename(path)
        assert (client_store.known, client_store.kept(), client_store.tried) == (
            ClientState(),
            [(1, "a\nb", TEXT)],
            2,
        )
        client_store.save(3, "c")
        assert len(client_store.kept()) == 2

    def test_full(self, client_store: ClientStore) -> None:
        """What was kept is still there, and more is when there is room."""
        client_store.save(1, "a\nb")
        client_store._connection.execute("PRAGMA max_page_count = 1")
        tries: list[Callable[[], None]] = [
            partial(client_store.save, 3, "x" * 20_000),
            partial(client_store.save_session, ClientState("x" * 20_000)),
        ]
        for each in tries:
            with pytest.raises(StorageError, match=r": database or disk is full$"):
                each()
        assert (client_store.known, client_store.kept()) == (ClientState(), [(1, "a\nb", TEXT)])
        client_store._connection.execute("PRAGMA max_page_count = 1000")
        client_store.save(3, "x" * 20_000)
        assert len(client_store.kept()) == 2

    def test_half_done(self, client_store: ClientStore) -> None:
        """New numbers, or less of a text, are not given by half."""
        client_store.save(1, "a\nb")
        client_store.save(3, "c")
        client_store._connection.execute(
            "CREATE TEMP TRIGGER fail BEFORE INSERT ON main.outbox BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        for each in (client_store.forget, client_store.replace):
            with pytest.raises(StorageError, match=r": no$"):
                each(2)
            assert client_store.kept() == [(1, "a\nb", TEXT), (3, "c", TEXT)]

    def test_closed(self, path: Path) -> None:
        """After it was closed nothing is done any more."""
        client_store = ClientStore(path)
        client_store.close()
        tries: list[Callable[[], object]] = [
            partial(client_store.save_session, KNOWN),
            partial(client_store.save_seen, 3),
            client_store.kept,
            partial(client_store.save, 1, "a"),
            partial(client_store.forget, 1),
            partial(client_store.replace, 1),
            partial(client_store.sending, 1),
            lambda: client_store.next,
            lambda: client_store.tried,
        ]
        for each in tries:
            with pytest.raises(StorageError, match="closed database"):
                each()
        assert client_store.known == ClientState()

    def test_refused(self, path: Path) -> None:
        """What is no file of this kind is not opened."""
        path.write_text("a rose by any other name")
        with pytest.raises(StorageError):
            ClientStore(path)

    def test_emptied(self, path: Path) -> None:
        """Nor is one from which somebody has taken the row that says what is known."""
        with closing(ClientStore(path)) as client_store:
            client_store._connection.execute("DELETE FROM client")
        with pytest.raises(StorageError, match="it is damaged"):
            ClientStore(path)
