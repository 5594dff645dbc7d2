"""A Romeo who is watched: what is read over HTTP while people come, talk and go."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGTERM

import pytest
from prometheus_client.parser import text_string_to_metric_families

from techboy.exit_status import CANNOT_LISTEN, CONFIG, USAGE
from tests.functional.programs import (
    DEADLINE,
    LOOPBACK,
    NULL,
    NativePeer,
    Peer,
    Program,
    Programs,
    refusal,
    wait_until,
)
from tests.functional.test_daemon import TERMINATED


class Watched:
    """A Romeo with many guests, and where he can be asked about them."""

    def __init__(self, programs: Programs, *options: str) -> None:
        self.programs = programs
        self.romeo: Program = programs.romeo("--metrics", "tcp:0", *options, stdin=NULL)
        self.port = self.romeo.port
        self.metrics = int(self.romeo.errors.until(r"Metrics on 127\.0\.0\.1:(\d+)\n")[1])

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Return the status and the body of an answer."""
        connection = HTTPConnection(LOOPBACK, self.metrics, timeout=DEADLINE)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def figures(self) -> dict[str, float]:
        """Return all figures, by name and value of the label if there is one."""
        status, text = self.ask("/metrics")
        assert status == 200
        return {
            "/".join([sample.name, *sample.labels.values()]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def shows(self, **figures: float) -> None:
        """Wait until all these are as said; ``lines_total__in`` is the one with the label ``in``."""
        awaited = {f"techboy_{name.replace('__', '/')}": value for name, value in figures.items()}
        seen: dict[str, float] = {}

        def there() -> bool:
            seen.update(self.figures())
            return awaited.items() <= seen.items()

        try:
            wait_until(there)
        except AssertionError:
            raise AssertionError({name: (seen.get(name), value) for name, value in awaited.items()}) from None

    def plain(self) -> Peer:
        """Return a guest who speaks plain lines, and was greeted."""
        guest = self.programs.caller(self.port)
        guest.heard.until(r"\* \d+ here: .*\n")
        return guest

    def native(self, name: str, **known: object) -> tuple[NativePeer, str]:
        """Return a guest who speaks the native dialect and was welcomed, and the session's token."""
        guest = self.programs.native_caller(self.port)
        guest.tells({"type": "hello", "version": 1, "name": name, **known})
        return guest, guest.told("welcome")["session"]


class CountTests:
    """What moves the figures."""

    def test_lines(self, programs: Programs) -> None:
        """Who is connected, and what they say, is counted in both dialects."""
        watched = Watched(programs)
        watched.shows(members=0, rooms=1, lines_total__in=0, lines_total__out=0)
        nurse = watched.plain()
        juliet, _ = watched.native("juliet")
        quiet = watched.plain()
        watched.shows(
            members=3, connections__plain=2, connections__native=1, connections__unknown=0, members_lagging=0
        )
        nurse.says("one\ntwo\n")
        assert juliet.said(2) == "one\ntwo"
        juliet.tells({"type": "message", "kind": "text", "text": "three", "seq": 1})
        juliet.told("ack")
        quiet.hears("juliet: three\n")
        watched.shows(
            lines_total__in=3, lines_stored_total=3, lines_total__out=6, lines_pending=0, members_lagging=0
        )
        figures = watched.figures()
        assert (
            2
            <= figures["techboy_commit_duration_seconds_count"]
            == figures["techboy_commit_duration_seconds_bucket/+Inf"]
        )
        quiet.says("/join garden\n")
        watched.shows(rooms=2)
        quiet.close()
        watched.shows(members=2, rooms=1, connections__plain=1)

    def test_refusals(self, programs: Programs) -> None:
        """What is not taken is counted by its reason."""
        watched = Watched(programs, "--guests", "2", "--max-line", "64")
        nurse = watched.plain()
        juliet, _ = watched.native("juliet")
        third = programs.caller(watched.port)
        third.says("let me in\n")
        third.hears("* romeo has no room for more guests\n")
        fourth = programs.native_caller(watched.port)
        fourth.tells({"type": "hello", "version": 1, "name": "tybalt"})
        assert fourth.told("bye")["reason"] == "busy"
        nurse.says("x" * 65 + "\n")
        nurse.hears("* a line of more than 64 bytes was discarded\n")
        juliet.says("nonsense\n")
        juliet.tells({"type": "message", "kind": "text", "text": "two", "seq": 2})
        assert [juliet.told("error")["code"] for _ in range(2)] == ["bad_frame", "out_of_order"]
        watched.shows(
            connections_rejected_total__server_full=2,
            lines_rejected_total__line_too_long=1,
            frames_rejected_total__invalid_frame=1,
            frames_rejected_total__out_of_order=1,
        )
        watched.shows(
            lines_total__in=0,
            connections_rejected_total__nickname_unavailable=0,
            lines_rejected_total__storage_unavailable=0,
        )

    def test_reconnect(self, programs: Programs) -> None:
        """Who comes back with a session is counted, and so is what it says again, which is not said twice."""
        watched = Watched(programs)
        nurse = watched.plain()
        juliet, token = watched.native("juliet")
        juliet.tells({"type": "message", "kind": "text", "text": "one\ntwo", "seq": 1})
        juliet.told("ack")
        juliet.reset()
        watched.shows(connections__native=0, members=2, sessions_resumed_total=0)
        juliet, again = watched.native("juliet", session=token)
        assert again == token
        juliet.tells({"type": "message", "kind": "text", "text": "one\ntwo\nthree", "seq": 1})
        assert juliet.told("ack")["next_seq"] == 4
        nurse.hears("juliet: three\n")
        watched.shows(
            sessions_resumed_total=1, lines_deduplicated_total=2, lines_total__in=3, lines_stored_total=3
        )

    def test_stored_on_disk(self, programs: Programs) -> None:
        """It is the same where lines are written to a disk; figures begin anew with each start."""
        watched = Watched(programs, "--state", str(programs.folder / "state"))
        juliet, _ = watched.native("juliet")
        juliet.tells({"type": "message", "kind": "text", "text": "one\ntwo", "seq": 1})
        juliet.told("ack")
        watched.shows(lines_stored_total=2, lines_pending=0)
        assert watched.figures()["techboy_commit_duration_seconds_sum"] > 0
        watched.romeo.kill()
        watched = Watched(programs, "--state", str(programs.folder / "state"))
        watched.shows(lines_stored_total=0, members=0)

    def test_nobody_is_named(self, programs: Programs) -> None:
        """No name, word or address of anybody can be read there."""
        watched = Watched(programs)
        juliet, _ = watched.native("juliet")
        juliet.tells({"type": "message", "kind": "text", "text": "sesame", "seq": 1})
        juliet.told("ack")
        text = watched.ask("/metrics")[1]
        assert not [word for word in ("juliet", "sesame", "127.0.0.1") if word in text]


class AwayTests:
    """A database that is removed while the server runs."""

    def test_removed(self, programs: Programs) -> None:
        """Nothing is acknowledged, the server is not well, and says so once; all goes on when it is back."""
        watched = Watched(programs, "--state", "state")
        database = programs.folder / "state" / "romeo.sqlite"
        elsewhere = programs.folder / "elsewhere"
        elsewhere.hardlink_to(database)
        juliet, _ = watched.native("juliet")
        juliet.tells({"type": "message", "kind": "text", "text": "one", "seq": 1})
        assert juliet.told("ack")["next_seq"] == 2
        database.unlink()
        for _ in range(2):
            juliet.tells({"type": "message", "kind": "text", "text": "two", "seq": 2})
            error = juliet.told("error")
            assert (error["code"], error["next_seq"]) == ("storage_unavailable", 2)
            assert "romeo.sqlite" not in error["text"]
        status, why = watched.ask("/healthz")
        assert status == 503
        assert "romeo.sqlite: it was removed or replaced while it was in use" in why
        elsewhere.rename(database)
        wait_until(lambda: watched.ask("/healthz")[0] == 200)
        juliet.tells({"type": "message", "kind": "text", "text": "two", "seq": 2})
        stored = juliet.told("ack")
        assert (stored["next_seq"], stored["last_id"]) == (3, 2)
        watched.romeo.signal(SIGTERM)
        assert watched.romeo.ends() in TERMINATED
        log = watched.romeo.output.everything().decode()
        assert log.count("it was removed or replaced while it was in use") >= 1
        with closing(sqlite3.connect(database)) as connection:
            assert connection.execute("SELECT text FROM batch").fetchall() == [("one",), ("two",)]


class PageTests:
    """What is answered."""

    def test_pages(self, programs: Programs) -> None:
        """There are two pages, to be read, and nothing else; none of it is logged."""
        watched = Watched(programs)
        assert watched.ask("/healthz") == (200, "ok\n")
        assert watched.ask("/healthz", "HEAD") == (200, "")
        assert watched.ask("/metrics", "HEAD") == (200, "")
        assert watched.ask("/")[0] == watched.ask("/metrics/x")[0] == 404
        assert watched.ask("/metrics", "POST")[0] == 405
        watched.romeo.signal(SIGTERM)
        assert watched.romeo.ends() in TERMINATED
        output = watched.romeo.output.everything() + watched.romeo.errors.everything()
        assert b"healthz" not in output
        assert b"Traceback" not in output


class StartTests:
    """What ends the start."""

    def test_port_in_use(self, programs: Programs) -> None:
        """A port that somebody else has is one line and an end."""
        with socket.create_server((LOOPBACK, 0)) as other:
            endpoint = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
            romeo = programs.romeo("--metrics", endpoint, stdin=NULL)
            told = refusal(romeo, CANNOT_LISTEN)
        assert told == f"romeo: can't listen on {endpoint}: Address already in use\n"

    def test_no_endpoint(self, programs: Programs) -> None:
        """So is what is no endpoint."""
        romeo = programs.romeo("--metrics", "9190", stdin=NULL)
        assert refusal(romeo, USAGE).startswith(
            "romeo: --metrics: invalid endpoint '9190': expected for example tcp:9190"
        )

    @pytest.fixture
    def missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        """Return what lets programs be as if prometheus-client were not installed."""

        def hide() -> None:
            path = tmp_path / "hidden"
            path.mkdir()
            (path / "prometheus_client.py").write_text("raise ModuleNotFoundError(__name__)\n")
            monkeypatch.setenv("PYTHONPATH", str(path))

        return hide

    def test_missing(self, programs: Programs, missing: Callable[[], None]) -> None:
        """Without prometheus-client who wants metrics is told what to install; others lack nothing."""
        missing()
        watched = programs.romeo("--metrics", "tcp:0", stdin=NULL)
        plain = programs.romeo(stdin=NULL)
        told = "romeo: --metrics needs prometheus-client: pip install 'techboy[metrics]'\n"
        assert refusal(watched, CONFIG) == told
        programs.caller(plain.port).hears("* welcome to lobby, guest1; ")
