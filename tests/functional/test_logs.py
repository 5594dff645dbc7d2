"""What an operator can read after a conversation: the log, the transcript, and that both can be rotated."""

from __future__ import annotations

import json
import re
from pathlib import Path
from signal import SIGHUP, SIGTERM
from typing import Any

import pytest

from tests.functional.programs import (
    NULL,
    SHELL,
    TWIST,
    NativePeer,
    Peer,
    Program,
    Programs,
    wait_until,
)
from tests.functional.test_daemon import RECORD, TERMINATED

WHISPERED = "a most secret word"
HOSTILE = "\x1b]0;owned\x07\u202e\u2028\x9b31m"
RAW = [b"\x1b", b"\x07", b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\xc2\x9b", b"\r"]

TEXT, JSON = "text", "json"


class Daemon:
    """A Romeo without a keyboard, with a log in a file."""

    def __init__(self, programs: Programs, log_format: str, *options: str) -> None:
        self._programs, self._format = programs, log_format
        self.log = programs.folder / "log"
        self.romeo = programs.twist(
            "--log-file", "log", "--log-format", log_format,
            "romeo", "--host", "127.0.0.1", "--port", "0", *options,
            stdin=NULL,
        )  # fmt: skip
        self.port = self.romeo.port

    def guest(self) -> Peer:
        """Return a plain guest who has been greeted."""
        peer = self._programs.caller(self.port)
        peer.hears(" here: ")
        return peer

    def juliet(self, name: str = "juliet") -> NativePeer:
        """Return a native guest who has been welcomed."""
        peer = self._programs.native_caller(self.port)
        peer.tells({"type": "hello", "version": 1, "name": name})
        peer.told("welcome")
        return peer

    def writes(self, text: str, times: int = 1) -> None:
        """Wait until ``text`` is in the log so often."""
        wait_until(lambda: self.log.exists() and self.log.read_text().count(text) >= times)

    def hangs_up(self, times: int = 1) -> None:
        """Send it SIGHUP, and wait until it has done what that asks for."""
        self.romeo.signal(SIGHUP)
        self.writes("reloaded: ", times)

    def ends(self) -> bytes:
        """End it in good order, and return all of its log."""
        self.romeo.signal(SIGTERM)
        assert self.romeo.ends() in TERMINATED
        return self.log.read_bytes()


def records(log: bytes) -> list[dict[str, Any]]:
    """Return the events of a log in JSON."""
    return [json.loads(record) for record in log.split(RECORD)[1:]]


def visits(daemon: Daemon) -> None:
    """Let a plain and a native guest come, speak and go."""
    guest, juliet = daemon.guest(), daemon.juliet()
    guest.says(f"{WHISPERED}\n/msg juliet {WHISPERED}\n/topic {WHISPERED}\n/nick rosaline\n")
    juliet.heard.until("is now rosaline.*\n")
    juliet.tells({"type": "message", "kind": "text", "text": f"{WHISPERED}\n{WHISPERED}", "seq": 1})
    juliet.told("ack")
    guest.hears(f"juliet: {WHISPERED}\njuliet: {WHISPERED}\n")
    guest.says("exit\n")
    guest.finish()
    guest.hears_all()
    juliet.tells({"type": "bye"})
    juliet.finish()
    juliet.hears_all()
    daemon.writes(" closed after ", times=2)


class ConnectionTests:
    """What is written about connections."""

    def test_text(self, programs: Programs) -> None:
        """As text there are two lines for a visit, with the id of the connection, and what else was done."""
        daemon = Daemon(programs, TEXT)
        visits(daemon)
        lines = re.findall(r"ConnectionLog#info\] (.*)", daemon.ends().decode())
        patterns = [
            r"connection 1 with 127\.0\.0\.1:\d+: guest1 joined lobby \(plain\)",
            r"connection 2 with 127\.0\.0\.1:\d+: juliet joined lobby \(native\)",
            r"connection 1: guest1 is now rosaline",
            r"connection 1 of rosaline closed after [\d.]+ s, 5 lines received: peer_closed",
            r"connection 2 of juliet closed after [\d.]+ s, 2 lines received: peer_closed",
        ]
        assert len(lines) == len(patterns)
        for pattern in patterns:
            assert any(re.fullmatch(pattern, line) for line in lines)

    def test_json(self, programs: Programs) -> None:
        """In JSON the id is a field of every event about the connection, and all else has a field, too."""
        daemon = Daemon(programs, JSON)
        visits(daemon)
        events = [record for record in records(daemon.ends()) if "connection_id" in record]
        happened = [(event["connection_id"], event["event"]) for event in events]
        for connection, name, end in [("1", "rosaline", 5), ("2", "juliet", 2)]:
            assert (connection, "joined") in happened
            last = next(
                e for e in events if (e["connection_id"], e["event"]) == (connection, "connection_closed")
            )
            assert (last["name"], last["lines_received"], last["close_reason"]) == (name, end, "peer_closed")
            assert last["duration_seconds"] >= 0
            assert last["address"].startswith("127.0.0.1:")

    @pytest.mark.parametrize("log_format", [TEXT, JSON])
    def test_nothing_said(self, programs: Programs, log_format: str) -> None:
        """Nothing of what is said is in the log, nor said to one alone, nor what a room is about."""
        daemon = Daemon(programs, log_format)
        visits(daemon)
        assert WHISPERED.encode() not in daemon.ends()

    @pytest.mark.parametrize("log_format", [TEXT, JSON])
    def test_hostile(self, programs: Programs, log_format: str) -> None:
        """Whatever callers send as names, commands and frames, nothing of it gets raw into the log."""
        daemon = Daemon(programs, log_format)
        guest = daemon.guest()
        guest.says(f"/nick {HOSTILE}\n/{HOSTILE}\n{'x' * 5000}\n")
        guest.hears("was discarded")
        juliet = daemon.juliet()
        juliet.says(HOSTILE + "\n")
        juliet.told("error")
        juliet.tells({"type": "command", "name": HOSTILE, "args": [HOSTILE]})
        juliet.tells({HOSTILE: HOSTILE})
        juliet.told("error")
        refused = programs.native_caller(daemon.port)
        refused.tells({"type": "hello", "version": 1, "name": HOSTILE})
        assert refused.told("bye")["reason"] == "refused"
        daemon.writes("was rejected")
        log = daemon.ends()
        assert b"invalid frame" in log
        for raw in RAW:
            assert raw not in log
        assert log.isascii()

    def test_juliet(self, programs: Programs) -> None:
        """Juliet's log has no more of what Romeo sends, and her connections have ids as well."""
        listener = programs.listener()
        juliet = programs.twist(
            "--log-file", "log", "--log-format", TEXT,
            "juliet", "--host", "127.0.0.1", "--port", str(listener.port),
            stdin=NULL,
        )  # fmt: skip
        romeo = programs.answer_natively(listener)
        romeo.told("hello")
        romeo.tells({
            "type": "welcome", "version": 1, "name": "juliet", "session": "t", "next_seq": 1,
            "log_epoch": "l", "room": "lobby", "after_id": 0, "last_id": 0, "server": "romeo",
            "limits": {"line": 4096, "frame": 262144},
        })  # fmt: skip
        romeo.tells(
            {"type": "message", "kind": "text", "id": 1, "at": 1000, "from": "romeo", "text": WHISPERED}
        )
        juliet.shows(WHISPERED)
        romeo.says(HOSTILE + "\n")
        romeo.tells({"type": "bye", "reason": "refused", "text": HOSTILE})
        romeo.told("bye")
        romeo.finish()
        assert juliet.ends() == 69
        log = (programs.folder / "log").read_bytes()
        assert b"connection 1 with 127.0.0.1:" in log
        assert b"#warn] connection 1: invalid frame: not JSON" in log
        assert b"connection 1 of juliet closed after " in log
        assert WHISPERED.encode() not in log
        assert log.isascii()


class RotationTests:
    """Files that are moved away, as logrotate does."""

    def test_both_files(self, programs: Programs) -> None:
        """After mv and SIGHUP log and transcript go on in new files, and nothing is missing between them."""
        daemon = Daemon(programs, TEXT, "--transcript", "said")
        said = programs.folder / "said"
        juliet = daemon.juliet()
        for number in (1, 2, 3):
            juliet.tells({"type": "message", "kind": "text", "text": f"line {number}", "seq": number})
            juliet.told("ack")
            said.rename(programs.folder / f"said.{number}")
            daemon.log.rename(programs.folder / f"log.{number}")
            daemon.hangs_up()
        for number in (1, 2, 3):
            lines = (programs.folder / f"said.{number}").read_text().splitlines()
            assert f" lobby {number} juliet: line {number}" in lines[-1]
            assert (programs.folder / f"said.{number}").stat().st_mode & 0o777 == 0o600
        logs = b"".join((programs.folder / f"log.{number}").read_bytes() for number in (1, 2, 3))
        whole = logs + daemon.ends()
        assert whole.count(b"joined lobby") == 1
        assert whole.count(b"reloaded: the log file, the transcript\n") == 3

    def test_nowhere(self, programs: Programs) -> None:
        """Where there can't be new files the old ones are kept, and the log says so."""
        folder = programs.folder / "logs"
        folder.mkdir()
        daemon = Daemon(programs, TEXT, "--transcript", "logs/said")
        moved = folder.rename(programs.folder / "moved")
        daemon.hangs_up()
        juliet = daemon.juliet()
        juliet.tells({"type": "message", "kind": "text", "text": "still here", "seq": 1})
        juliet.told("ack")
        log = daemon.ends().decode()
        assert "#warn] the transcript was not reloaded: No such file or directory" in log
        assert "lobby 1 juliet: still here" in (moved / "said").read_text()

    def test_motd(self, programs: Programs) -> None:
        """SIGHUP has guests shown what the file says now, and what it said where it can't be read."""
        motd = programs.file("motd", "be kind\n")
        daemon = Daemon(programs, TEXT, "--motd", "motd")
        programs.caller(daemon.port).hears("* be kind\n")
        motd.write_text("be kinder \u202e\n")
        daemon.hangs_up()
        programs.caller(daemon.port).hears("* be kinder \ufffd\n")
        motd.unlink()
        daemon.hangs_up(2)
        programs.caller(daemon.port).hears("* be kinder \ufffd\n")
        assert b"#warn] the message of the day was not reloaded: motd: No such file" in daemon.ends()

    def test_ignored(self, programs: Programs) -> None:
        """Started by nohup, a program takes no notice of SIGHUP, whatever its keyboard."""
        script = 'trap "" HUP; exec "$@"'
        romeo = programs.start(SHELL, "-c", script, SHELL, TWIST, "romeo", "--port", "0", "--keep-open")
        port = romeo.port
        romeo.signal(SIGHUP)
        guest = programs.caller(port)
        guest.says("hello\n")
        romeo.shows("hello\n")


def in_transcript(path: Path) -> list[str]:
    """Return the lines of a transcript without their times, each of which has an offset."""
    lines = path.read_text().splitlines()
    parts = [re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d (.*)", line) for line in lines]
    return [part[1] for part in parts if part is not None] if all(parts) else lines


class TranscriptTests:
    """``--transcript``."""

    def test_house(self, programs: Programs) -> None:
        """A house writes all that is said in its rooms, in order, with ids, and no more than that."""
        daemon = Daemon(programs, TEXT, "--transcript", "said")
        guest, juliet = daemon.guest(), daemon.juliet()
        guest.says(f"one {HOSTILE}\n/msg juliet {WHISPERED}\n")
        juliet.heard.until("one .*\n")
        guest.says("/me bows\n")
        juliet.heard.until("bows.*\n")
        juliet.tells({"type": "message", "kind": "text", "text": "guest1: two\nthree", "seq": 1})
        juliet.told("ack")
        juliet.tells({"type": "command", "name": "join", "args": ["balcony"]})
        juliet.told("room_changed")
        juliet.tells({"type": "message", "kind": "text", "text": "four", "seq": 3})
        juliet.told("ack")
        daemon.ends()
        lines = in_transcript(programs.folder / "said")
        unsafe = HOSTILE
        for character in HOSTILE:
            if not character.isprintable():
                unsafe = unsafe.replace(character, "\ufffd")
        assert [line for line in lines if " - " not in line] == [
            f"lobby 1 guest1: one {unsafe}",
            "lobby 2 ** guest1 bows",
            "lobby 3 juliet: guest1: two",
            "lobby 4 juliet: three",
            "balcony 1 juliet: four",
        ]
        assert "balcony - * juliet joined" in lines
        assert not any(WHISPERED in line for line in lines)

    def test_conversation(self, programs: Programs) -> None:
        """In a conversation of two both write what both say."""
        romeo = programs.romeo("--transcript", "romeo.said")
        juliet = programs.juliet(romeo.port, "--transcript", "juliet.said")
        romeo.writes("Ô Juliette\nwhere are you\n")
        juliet.shows("Ô Juliette\nwhere are you\n")
        juliet.writes("here\n")
        romeo.shows("here\n")
        juliet.end_input()
        assert (juliet.ends(), romeo.ends()) == (0, 0)
        seen = {
            name: [
                re.sub(r"^(lobby )?\S+ ", "", line)
                for line in in_transcript(programs.folder / f"{name}.said")
            ]
            for name in ("romeo", "juliet")
        }
        said = ["romeo: Ô Juliette", "romeo: where are you", "juliet: here"]
        for lines in seen.values():
            assert [line for line in lines if not line.startswith("* ")] == said
        assert "* juliet joined" in seen["romeo"]
        assert any(line.startswith("* Connected to romeo ('127.0.0.1', ") for line in seen["juliet"])

    @pytest.mark.parametrize("who", ["romeo", "juliet"])
    def test_impossible(self, programs: Programs, who: str) -> None:
        """Where it can't be written the program says so in one line and does not begin."""
        program = programs.twist(who, "--host", "127.0.0.1", "--transcript", "none/said", stdin=NULL)
        assert program.ends() == 74
        errors = program.errors.everything().decode()
        assert errors == f"{who}: --transcript none/said: No such file or directory\n"

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
    def test_full_disk(self, programs: Programs) -> None:
        """A full disk is said once, and the conversation goes on."""
        daemon = Daemon(programs, TEXT, "--transcript", "/dev/full")
        juliet = daemon.juliet()
        for number in range(1, 6):
            juliet.tells({"type": "message", "kind": "text", "text": f"line {number}", "seq": number})
            juliet.told("ack")
        assert daemon.ends().count(b"#error] cannot write the transcript") == 1


class TerminalTests:
    """A terminal that is closed."""

    def says_goodbye(self, program: Program, guest: NativePeer) -> None:
        """Let the guest be told goodbye, and the program end by itself."""
        assert guest.told("bye")["reason"] == "closed"
        guest.tells({"type": "bye"})
        guest.finish()
        assert program.ends() >= 0

    def test_romeo(self, programs: Programs) -> None:
        """Romeo, whose terminal is closed while he talks, tells his guest goodbye and ends."""
        romeo = programs.romeo_in_terminal()
        guest = programs.native_caller(romeo.port)
        guest.tells({"type": "hello", "version": 1, "name": "juliet"})
        guest.told("welcome")
        romeo.shows("Connected to juliet")
        romeo.hang_up()
        self.says_goodbye(romeo, guest)

    def test_signal(self, programs: Programs) -> None:
        """A SIGHUP alone says the same, and leaves the terminal as it was."""
        romeo = programs.romeo_in_terminal()
        guest = programs.native_caller(romeo.port)
        guest.tells({"type": "hello", "version": 1, "name": "juliet"})
        guest.told("welcome")
        romeo.shows("Connected to juliet")
        romeo.signal(SIGHUP)
        self.says_goodbye(romeo, guest)
        assert romeo.as_before
        assert romeo.ends() == 0

    def test_many(self, programs: Programs) -> None:
        """So does a host of many."""
        romeo = programs.terminal("romeo", "--host", "127.0.0.1", "--port", "0", "--guests", "3")
        guest = programs.caller(romeo.port)
        guest.hears(" here: ")
        romeo.hang_up()
        guest.hears("* romeo is leaving\n")
        guest.close()
        assert romeo.ends() >= 0

    def test_script(self, programs: Programs) -> None:
        """A script that gets SIGHUP ends, too, and tells the other end."""
        romeo = programs.romeo()
        guest = programs.native_caller(romeo.port)
        guest.tells({"type": "hello", "version": 1, "name": "juliet"})
        guest.told("welcome")
        romeo.states("Connected to juliet")
        romeo.signal(SIGHUP)
        self.says_goodbye(romeo, guest)
