"""What an operator finds written after connections of all kinds: in the log, and in a transcript."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from techboy import exit_status
from techboy.client.handshake import HANDSHAKE_TIMEOUT as WELCOME_PATIENCE
from techboy.client.service import ChatClient
from techboy.juliet import Options as JulietOptions
from techboy.net.keepalive import PING_INTERVAL, PING_TIMEOUT
from techboy.net.plain_receiver import UNENDED_LIMIT
from techboy.romeo import Options
from techboy.server.native import FRAME_LIMIT
from techboy.server.service import RoomServer
from techboy.storage.interface import StorageError
from techboy.storage.memory import MemoryLog
from techboy.terminal.interface import InputSource
from tests import programs
from tests.journals import Written, written
from tests.marks import needs_renaming
from tests.native import HeldCommitter
from tests.programs import Running, call, frame, frames, native, visit
from tests.transports import FakeTransport, SocketTransport, connected

NONE, PERSON, SCRIPT = InputSource.NONE, InputSource.PERSON, InputSource.SCRIPT

WELCOME = {**programs.WELCOME, "room": "lobby"}
WITH = "with 127.0.0.1:33770"


@pytest.fixture
def log() -> Iterator[Written]:
    """Return what is written during the test."""
    with written() as log:
        yield log


def host(*arguments: str, keyboard: InputSource = NONE) -> Running:
    """Return a host of many, who has started."""
    many = [] if keyboard is NONE else ["--guests", "5"]
    return Running(RoomServer, Options(), ["--host", "127.0.0.1", *many, *arguments], keyboard).start()


def romeo(*arguments: str, keyboard: InputSource = PERSON) -> Running:
    """Return a Romeo who talks to one guest, and has started."""
    return Running(RoomServer, Options(), ["--host", "127.0.0.1", *arguments], keyboard).start()


def juliet(*arguments: str, keyboard: InputSource = NONE) -> Running:
    """Return a Juliet who has started to call."""
    words = ["--host", "192.0.2.1", *arguments]
    return Running(ChatClient, JulietOptions(), words, keyboard, spread=lambda: 1.0).start()


def closes(transport: FakeTransport) -> None:
    """Let the caller close in good order, and take what it is sent."""
    transport.peer_closes()
    transport.flush()


def answered(program: Running) -> FakeTransport:
    """Let Romeo answer Juliet's call."""
    protocol = program.reactor.tcpClients[-1][2].buildProtocol(None)
    return connected(protocol)


def ending(event: dict[str, Any]) -> str:
    """Return why a connection was closed, and the reason that was given, if one was."""
    return ": ".join(filter(None, [event["close_reason"], event["reason"]]))


def endings(log: Written) -> list[str]:
    """Return why each connection ended, as far as it is written."""
    return [ending(event) for event in log.events if event.get("event") == "connection_closed"]


class VisitTests:
    """A visit from its beginning to its end."""

    def test_plain(self, log: Written) -> None:
        """Who comes with nc is written with name, room, dialect, time and lines, and none of the words."""
        program = host()
        guest = visit(program)
        guest.receive(b"hello\n/nick rosaline\nmy secret\n")
        program.reactor.advance(3)
        closes(guest)
        assert log.texts[2:] == [
            f"connection 1 {WITH}: guest1 joined lobby (plain)",
            "connection 1: guest1 is now rosaline",
            "connection 1 of rosaline closed after 3.2 s, 3 lines received: peer_closed",
        ]

    def test_native(self, log: Written) -> None:
        """So is who comes with a Juliet."""
        program = host()
        guest = native(program)
        guest.receive(
            frame(type="message", kind="text", text="one\ntwo", seq=1)
            + frame(type="command", name="nick", args=["rosaline"])
        )
        program.reactor.advance(0)
        guest.receive(frame(type="bye"))
        closes(guest)
        assert log.texts[2:] == [
            f"connection 1 {WITH}: juliet joined lobby (native)",
            "connection 1: juliet is now rosaline",
            "connection 1 of rosaline closed after 0.0 s, 2 lines received: peer_closed",
        ]

    def test_back(self, log: Written) -> None:
        """Whose connection was lost, and who comes back by another, is written so, also if it comes early."""
        program = host()
        first = native(program)
        token = next(values["session"] for values in frames(first) if "session" in values)
        second = native(program, session=token)
        second.breaks()
        native(program, session=token)
        assert log.texts[2:] == [
            f"connection 1 {WITH}: juliet joined lobby (native)",
            "connection 1 of juliet closed after 0.0 s, 0 lines received: session_replaced",
            f"connection 2 {WITH}: juliet resumed in lobby (native)",
            "connection 2 of juliet closed after 0.0 s, 0 lines received: connection_lost",
            f"connection 3 {WITH}: juliet resumed in lobby (native)",
        ]

    def test_of_two(self, log: Written) -> None:
        """A conversation of two has no rooms; the next caller is turned away in one line."""
        program = romeo("--keep-open")
        guest, other, third = visit(program), visit(program), native(program)
        guest.receive(b"my secret\nexit\n")
        for transport in (other, third, guest):
            closes(transport)
        busy = "romeo is busy talking to somebody else; try again later"
        assert log.texts[2:] == [
            f"connection 1 {WITH}: juliet joined (plain)",
            f"connection 2 {WITH} was rejected: {busy}",
            f"connection 3 {WITH} was rejected: {busy}",
            "connection 1 of juliet closed after 0.5 s, 2 lines received: peer_closed",
        ]

    def test_native_of_two(self, log: Written) -> None:
        """So it is with a Juliet; a goodbye from the keyboard is this end's."""
        program = romeo()
        guest = native(program)
        program.terminal.receive(b"exit\n")
        program.reactor.pump([0, 0, 0])
        guest.receive(frame(type="bye"))
        program.reactor.advance(0)
        closes(guest)
        assert log.of_connections == ["joined", "connection_closed"]
        assert endings(log) == ["closed"]

    def test_late_hello(self, log: Written) -> None:
        """Who is taken for somebody else at first is written as both, under one id."""
        program = host()
        guest = visit(program)
        guest.receive(frame(type="hello", version=1, name="juliet"))
        program.reactor.advance(0)
        assert log.texts[2:] == [
            f"connection 1 {WITH}: guest1 joined lobby (plain)",
            f"connection 1 {WITH}: juliet joined lobby (native)",
        ]

    def test_program(self, log: Written) -> None:
        """It is written when the program starts, where it listens, and when it stops."""
        program = host()
        program.stop()
        starts, listening, *_, stops = log.texts
        assert starts.startswith("romeo ")
        assert starts.endswith(" starts")
        assert listening == "listening on 0.0.0.0:4444"
        assert stops == "romeo stops"


class EndingTests:
    """Why a connection ended."""

    def test_kicked(self, log: Written) -> None:
        """Who is sent away: by whom, and why, which is escaped."""
        program = host(keyboard=PERSON)
        guest = visit(program)
        program.terminal.receive("/kick guest1 go ½\n".encode())
        closes(guest)
        assert endings(log) == ["closed: you were kicked by romeo: go \\xbd"]

    @pytest.mark.parametrize(
        ("come", "for_good", "ending"),
        [
            (visit, True, "closed: romeo is leaving"),
            (visit, False, "closed: romeo is leaving"),
            (native, True, "closed: romeo is leaving"),
            (native, False, "closed: restart"),
            (call, True, "closed"),
            (call, False, "closed: restart"),
        ],
    )
    def test_leaving(
        self, log: Written, come: Callable[[Running], SocketTransport], for_good: bool, ending: str
    ) -> None:
        """Who is there, known or not, when the host leaves, for good or to be started again."""
        program = host()
        guest = come(program)
        if for_good:
            program.program.leave()
        else:
            program.stop()
        program.reactor.advance(0)
        if come is call:
            guest.flush()
        else:
            closes(guest)
        assert endings(log) == [ending]

    @pytest.mark.parametrize("come", [visit, native])
    def test_too_late(self, log: Written, come: Callable[[Running], SocketTransport]) -> None:
        """Who calls when the host leaves is turned away."""
        program = host()
        visit(program)
        program.stop()
        closes(come(program))
        assert log.of_connections == ["joined", "rejected"]

    @pytest.mark.parametrize("command", [b"exit\n", b"/quit\n"])
    def test_left(self, log: Written, command: bytes) -> None:
        """Who says goodbye, in either way."""
        program = host()
        guest = visit(program)
        guest.receive(command)
        closes(guest)
        assert endings(log) == ["peer_closed"]

    def test_quit_natively(self, log: Written) -> None:
        """Who says so by a command in the native dialect."""
        program = host()
        guest = native(program)
        guest.receive(frame(type="command", name="quit"))
        closes(guest)
        assert endings(log) == ["peer_closed"]

    @pytest.mark.parametrize("come", [visit, native])
    def test_lost(self, log: Written, come: Callable[[Running], SocketTransport]) -> None:
        """Whose connection broke."""
        come(host()).breaks()
        assert endings(log) == ["connection_lost"]

    @pytest.mark.parametrize("come", [visit, native])
    def test_stalled(self, log: Written, come: Callable[[Running], SocketTransport]) -> None:
        """Who takes nothing for too long."""
        program = host("--send-timeout", "5")
        reader, speaker = come(program), visit(program)
        program.reactor.advance(1)
        reader.flush()
        reader.room = 0
        speaker.receive(b"x\n" * 3)
        program.reactor.pump([0, 0, 6])
        assert endings(log) == ["send_timeout"]

    def test_silent(self, log: Written) -> None:
        """Who speaks the native dialect and falls silent."""
        program = host()
        native(program)
        program.reactor.pump([PING_INTERVAL, PING_TIMEOUT - PING_INTERVAL])
        assert endings(log) == ["ping_timeout"]

    def test_never_a_line(self, log: Written) -> None:
        """Who never ends a line."""
        program = host()
        guest = visit(program)
        for _ in range(UNENDED_LIMIT // 4000 + 2):
            guest.receive(b"x" * 4000)
        guest.flush()
        program.reactor.advance(2)
        assert log.of_connections == ["joined", "line_too_long", "connection_closed"]
        assert endings(log) == ["closed: no line end"]

    def test_not_readable(self, log: Written, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who is to be sent what can't be read any more."""

        def unreadable(*_: object) -> None:
            raise StorageError("disk I/O error")

        program = host()
        speaker, guest = visit(program), native(program)
        token = next(values["session"] for values in frames(guest) if "session" in values)
        guest.breaks()
        speaker.receive(b"one\n")
        program.reactor.advance(1)
        monkeypatch.setattr(MemoryLog, "read", unreadable)
        native(program, session=token)
        error = next(event for event in log.events if event["log_level"].name == "error")
        assert error["event"] == "storage_read_failed"
        assert endings(log)[1:] == ["closed: disk I/O error"]

    def test_not_readable_for_now(self, log: Written, monkeypatch: pytest.MonkeyPatch) -> None:
        """What members ask for and can't be read is written down, once a minute at most."""

        def unreadable(*_: object) -> None:
            raise StorageError("/var/lib/romeo.sqlite: disk I/O error")

        program = host()
        speaker = visit(program)
        monkeypatch.setattr(MemoryLog, "read_last", unreadable)
        for seconds in (0, 59, 1):
            program.reactor.advance(seconds)
            speaker.receive(b"/last\n/last 7\n")
        errors = [event for event in log.events if event["log_level"].name == "error"]
        assert [event["event"] for event in errors] == ["storage_read_failed"] * 2
        assert errors[0]["reason"] == "/var/lib/romeo.sqlite: disk I/O error"

    def test_before_a_word(self, log: Written) -> None:
        """Who goes before it is known how it speaks is one line."""
        call(host()).breaks()
        assert log.texts[2:] == ["connection 1 closed after 0.0 s, 0 lines received: connection_lost"]


class OddTests:
    """What callers do that is not as it should be."""

    @pytest.mark.parametrize("come", [visit, native])
    def test_throttled(self, log: Written, come: Callable[[Running], SocketTransport]) -> None:
        """A client that is throttled is written once for its connection, however often that begins."""
        program = host("--rate", "4")
        guest = come(program)
        for seq in (1, 61):
            text = "\n".join(["x"] * 60)
            guest.receive(
                frame(type="message", kind="text", text=text, seq=seq)
                if come is native
                else f"{text}\n".encode()
            )
            program.reactor.pump([1] * 30)
        assert log.of_connections == ["joined", "throttled"]
        assert log.last["rate"] == 4
        name = log.last["name"]
        assert log.texts[-1] == f"connection 1 of {name} is throttled to 4 lines a second"

    def test_badframes(self, log: Written) -> None:
        """A frame that is none, or too long a line, is written; of a flood of them no more than a few."""
        program = host("--max-line", "64")
        guest = native(program)
        guest.receive(b'{"text": "\x1b[31m"}\n' + frame(type="message", kind="text", text="x" * 65, seq=1))
        guest.receive(b"nonsense\n" * 1000)
        assert log.texts[3] == (
            "connection 1: invalid frame: not JSON: Invalid control character at at character 10"
        )
        assert log.texts[4] == "connection 1: a line of more than 64 bytes was discarded"
        assert len(log.texts) < 10

    def test_long_frame(self, log: Written) -> None:
        """A frame that is too long is written, and that it was the end."""
        guest = native(host())
        guest.receive(b"x" * (FRAME_LIMIT + 1))
        closes(guest)
        assert log.of_connections == ["joined", "line_too_long", "connection_closed"]
        assert endings(log) == ["closed: frames are too long"]

    @pytest.mark.parametrize(
        ("hello", "why"),
        [
            (frame(type="hello", version=2, name="juliet"), "unsupported version: expected 1"),
            (frame(type="hello", version=1, name="ro\x1bmeo"), "expected 1-32 letters"),
            (frame(type="hello", version=1, name="romeo"), None),
            (b'{"type": "hello", "version": 1}\n', "name is missing"),
        ],
    )
    def test_refused(self, log: Written, hello: bytes, why: str | None) -> None:
        """Who is not let in is one line that says why, on which nothing is raw."""
        program = host()
        caller = call(program)
        caller.receive(hello)
        program.reactor.advance(0)
        closes(caller)
        (line,) = log.texts[2:] if why is not None else [log.texts[2]]
        assert line.isascii()
        assert line.isprintable()
        if why is not None:
            assert why in line

    def test_full(self, log: Written) -> None:
        """A house that is full says so once for each who is turned away."""
        program = host("--guests", "1")
        visit(program)
        for come in (visit, native):
            closes(come(program))
        away = [event["reason"] for event in log.events if event.get("event") == "rejected"]
        assert away == ["romeo has no room for more guests"] * 2

    def test_flood(self, log: Written) -> None:
        """A flood of callers is two lines each at most."""
        program = host()
        before = len(log.texts)
        for number in range(50):
            caller = call(program)
            if number % 2:
                closes(caller)
            else:
                caller.breaks()
        assert len(log.texts) - before <= 2 * 50

    def test_storing(self, log: Written) -> None:
        """That nothing can be stored is written when it begins and when it is over, not for each line."""
        executor = HeldCommitter()
        program = host()
        program.program.broker._executor = executor
        guest = visit(program)
        for _ in range(3):
            guest.receive(b"my secret\nanother\n")
            program.reactor.advance(0)
            executor.refuse()
        guest.receive(b"stored\n")
        program.reactor.advance(0)
        executor.answer()
        about = [
            event for event in log.events if event.get("event") in ("storage_failed", "storage_recovered")
        ]
        assert [event["lines"] for event in about] == [2, 6]
        assert "the disk is full" in about[0]["reason"]
        assert not any("secret" in text for text in log.texts)


class JulietTests:
    """What Juliet writes."""

    def test_native(self, log: Written) -> None:
        """Her connection has an id, too; a bad frame of Romeo's is a warning."""
        program = juliet()
        romeo = answered(program)
        romeo.receive(frame(**WELCOME))
        romeo.receive(
            frame(type="message", kind="text", id=1, at=5000, text="my\nsecret", **{"from": "romeo"})
        )
        romeo.receive(b"\x1b[31m\n")
        romeo.receive(frame(type="bye", reason="closed", text="go\x1baway"))
        romeo.flush()
        program.reactor.advance(2)
        assert log.of_connections == ["joined", "invalid_frame", "connection_closed"]
        assert log.texts[1] == "connection 1 with unknown: juliet joined lobby (native)"
        assert [event["log_level"].name for event in log.events if event["event"] == "invalid_frame"] == [
            "warn"
        ]
        assert endings(log) == ["peer_closed: go\\ufffdaway"]
        assert log.texts[-1].startswith("connection 1 of juliet closed after 0")
        assert not any("secret" in text for text in log.texts)

    def test_back(self, log: Written) -> None:
        """That she lost him and is back is written."""
        program = juliet()
        lost = answered(program)
        lost.receive(frame(**WELCOME))
        lost.breaks()
        program.reactor.advance(1)
        answered(program).receive(frame(**WELCOME))
        assert log.texts[1:] == [
            "connection 1 with unknown: juliet joined lobby (native)",
            "connection 1 of juliet closed after 0.0 s, 0 lines received: connection_lost",
            "connection 2 with unknown: juliet resumed in lobby (native)",
        ]

    def test_turned_away(self, log: Written) -> None:
        """So is why he does not want her."""
        program = juliet()
        answered(program).receive(frame(type="bye", reason="busy", text="romeo is busy"))
        assert log.texts[1] == "connection 1 with unknown was rejected: romeo is busy"

    def test_silent(self, log: Written) -> None:
        """So is that he fell silent."""
        program = juliet()
        answered(program).receive(frame(**WELCOME))
        program.reactor.pump([PING_INTERVAL, PING_TIMEOUT - PING_INTERVAL])
        assert endings(log) == ["ping_timeout"]

    def test_leaves(self, log: Written) -> None:
        """So is that she said goodbye."""
        program = juliet()
        transport = answered(program)
        transport.receive(frame(**WELCOME))
        program.program.leave()
        program.reactor.advance(2)
        transport.flush()
        assert endings(log) == ["closed"]

    def test_abandoned(self, log: Written) -> None:
        """So is that she gave him up."""
        program = juliet("--timeout", "5", keyboard=SCRIPT)
        transport = answered(program)
        transport.receive(frame(**WELCOME))
        program.terminal.receive(b"hello\n")
        program.reactor.pump([0.3] * 20)
        assert endings(log) == ["closed"]

    @pytest.mark.parametrize("arguments", [[], ["--plain"]])
    def test_plain(self, log: Written, arguments: list[str]) -> None:
        """A Romeo who speaks plain lines is written as such, whether she knew or found out."""
        program = juliet(*arguments)
        romeo = answered(program)
        program.reactor.advance(WELCOME_PATIENCE)
        romeo.receive(b"my secret\n")
        closes(romeo)
        assert log.texts[1].startswith("connection 1 with unknown: romeo joined (plain)")
        assert endings(log) == ["peer_closed"]
        assert not any("secret" in text for text in log.texts)

    def test_mistaken(self, log: Written) -> None:
        """A Romeo who was slow to say that he speaks the native dialect is called again."""
        program = juliet()
        romeo = answered(program)
        program.reactor.advance(WELCOME_PATIENCE)
        romeo.receive(frame(**WELCOME))
        assert endings(log) == ["closed: the other protocol is used"]

    def test_no_answer(self, log: Written) -> None:
        """A call that nobody answers is written once for each reason; one without a word is a line."""
        program = juliet()
        answered(program).breaks()
        assert log.texts[1:] == [
            "connecting failed: connection closed before the server answered",
            "connection 1 closed after 0.0 s, 0 lines received: connection_lost",
        ]


class ReloadTests:
    """SIGHUP."""

    def test_motd(self, log: Written, tmp_path: Path) -> None:
        """A daemon reads again what guests are shown first, and keeps it where that can't be read."""
        motd = tmp_path / "motd"
        motd.write_text("be kind\n")
        program = host("--motd", str(motd))
        motd.write_text("be kinder\nand quiet\n")
        program.hang_up()
        assert visit(program).flush().startswith(b"* be kinder\n* and quiet\n* welcome")
        motd.unlink()
        program.hang_up()
        assert visit(program).flush().startswith(b"* be kinder\n* and quiet\n* welcome")
        warning = next(event for event in log.events if event["log_level"].name == "warn")
        assert warning["what"] == "the message of the day"
        assert warning["reason"].endswith("No such file or directory")
        assert program.reactor.stops == 0

    def test_nothing_to_read(self, log: Written) -> None:
        """Where there is nothing to read again, what the host said last stays."""
        program = host()
        program.program.chat.motd = ["be kind"]
        program.hang_up()
        assert program.program.chat.motd == ["be kind"]
        assert log.last["event"] == "reloaded"

    def test_terminal(self) -> None:
        """A Romeo whose terminal is gone says goodbye and ends."""
        program = romeo()
        guest = native(program)
        program.hang_up()
        program.reactor.pump([0, 0])
        assert any(values.get("reason") == "closed" for values in frames(guest))
        guest.receive(frame(type="bye"))
        closes(guest)
        program.reactor.advance(2)
        assert program.reactor.stops == 1

    @pytest.mark.parametrize("keyboard", [PERSON, SCRIPT])
    def test_many(self, keyboard: InputSource) -> None:
        """So does a host with a keyboard."""
        program = host(keyboard=keyboard)
        guest = visit(program)
        program.hang_up()
        program.hang_up()
        program.reactor.advance(0)
        assert b"* romeo is leaving\n" in guest.flush()


class TranscriptTests:
    """``--transcript``."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Return where it is."""
        return tmp_path / "transcript"

    @staticmethod
    def _lines(path: Path) -> list[str]:
        return [line.split(" ", 1)[1] for line in path.read_text().splitlines()]

    @needs_renaming
    def test_house(self, path: Path) -> None:
        """A house writes what is said in it, and goes on in a new file when it was moved away."""
        program = host("--transcript", str(path))
        guest = visit(program)
        guest.receive(b"one\n")
        program.reactor.advance(0)
        moved = path.rename(path.with_suffix(".1"))
        program.hang_up()
        guest.receive(b"two\n")
        program.reactor.advance(0)
        assert program.program.transcript.settle(5)
        assert self._lines(moved) == ["lobby - * guest1 joined", "lobby 1 guest1: one"]
        assert self._lines(path) == ["lobby 2 guest1: two"]

    def test_two(self, path: Path) -> None:
        """In direct mode it has the same."""
        program = romeo("--transcript", str(path))
        guest = native(program)
        program.terminal.receive(b"one\n")
        program.reactor.pump([0, 0])
        guest.receive(frame(type="message", kind="text", text="two", seq=1))
        program.reactor.pump([0, 0])
        assert program.program.transcript.settle(5)
        assert self._lines(path) == [
            "lobby - * romeo, juliet joined",
            "lobby 1 romeo: one",
            "lobby 2 juliet: two",
        ]

    def test_until_the_end(self, path: Path) -> None:
        """It is written to until nothing more can come."""
        program = juliet("--transcript", str(path))
        closing = program.reactor.triggers["after"]["shutdown"]
        program.program.conversation.said("late")
        for close, _, _ in closing:
            close()
        program.program.conversation.said("too late")
        assert self._lines(path) == ["- juliet: late"]

    @pytest.mark.parametrize("start", [host, romeo, juliet])
    def test_impossible(
        self, start: Callable[..., Running], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Where it can't be written the program ends before it begins, with one line."""
        with pytest.raises(SystemExit) as ended:
            start("--transcript", str(tmp_path / "no\nsuch" / "file"))
        assert ended.value.code == exit_status.IO_ERROR
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert error.endswith((": No such file or directory\n", ": Invalid argument\n"))
