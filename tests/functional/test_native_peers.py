"""Peers that speak the native dialect, in the hands of the test."""

from __future__ import annotations

import json
import time
from signal import SIGTERM

from techboy.exit_status import UNAVAILABLE
from tests.functional.programs import (
    LOOPBACK,
    NULL,
    Listener,
    NativePeer,
    Program,
    Programs,
    kept,
    wait_until,
)

HELLO: dict[str, object] = {"type": "hello", "version": 1, "name": "juliet", "subscribe": True}

WELCOME: dict[str, object] = {
    "type": "welcome",
    "version": 1,
    "name": "juliet",
    "session": "secret",
    "next_seq": 1,
    "log_epoch": "verona",
    "room": "lobby",
    "after_id": 0,
    "last_id": 0,
    "server": "romeo",
    "limits": {"line": 4096, "frame": 262144},
}


def come(programs: Programs, port: int, **more: object) -> tuple[NativePeer, str]:
    """Return a guest who was welcomed at ``port``, and the token of its session."""
    guest = programs.native_caller(port)
    guest.tells({**HELLO, **more})
    return guest, guest.told("welcome")["session"]


class GuestTests:
    """Guests of the real Romeo."""

    def test_welcome(self, programs: Programs) -> None:
        """A hello is answered with all that a caller needs to know, and nothing before it."""
        guest = programs.native_caller(programs.romeo("--max-line", "100", stdin=NULL).port)
        guest.tells(HELLO)
        welcome = json.loads(guest.heard.until(".*\n")[0])
        assert len(welcome.pop("session")) >= 32
        assert welcome.pop("log_epoch")
        assert welcome == {
            "type": "welcome",
            "version": 1,
            "name": "juliet",
            "next_seq": 1,
            "room": "lobby",
            "after_id": 0,
            "last_id": 0,
            "server": "romeo",
            "limits": {"line": 100, "frame": 262144},
        }

    def test_what_is_said(self, programs: Programs) -> None:
        """It is acknowledged to its author, and shown to others in their own dialects."""
        port = programs.romeo(stdin=NULL).port
        (one, _), (two, _), plain = come(programs, port), come(programs, port), programs.caller(port)
        plain.hears("3 here")
        before = time.time()
        one.tells({"type": "message", "kind": "text", "text": "what's in\na name ½?", "seq": 1})
        stored = one.told("ack")
        assert (stored["next_seq"], stored["last_id"]) == (3, 2)
        lines = two.told("message")
        assert before - 1 <= lines.pop("at") / 1000 <= time.time() + 1
        assert lines == {
            "type": "message",
            "kind": "text",
            "id": 1,
            "from": "juliet",
            "text": "what's in\na name ½?",
        }
        plain.hears("juliet: what's in\njuliet: a name ½?\n")

    def test_coming_back(self, programs: Programs) -> None:
        """With its token a guest goes on where its connection broke; what comes twice is taken once."""
        port = programs.romeo(stdin=NULL).port
        (one, token), (other, _) = come(programs, port), come(programs, port)
        one.tells({"type": "message", "kind": "text", "text": "one\ntwo", "seq": 1})
        one.told("ack")
        assert other.said(2) == "one\ntwo"
        one.reset()
        other.tells({"type": "message", "kind": "text", "text": "meanwhile", "seq": 1})
        other.told("ack")
        back = programs.native_caller(port)
        back.tells({**HELLO, "session": token, "last_seen_id": 0})
        welcome = back.told("welcome")
        assert (welcome["name"], welcome["session"], welcome["next_seq"]) == ("juliet", token, 3)
        assert back.told("message")["text"] == "meanwhile"
        back.tells({"type": "message", "kind": "text", "text": "one\ntwo\nthree", "seq": 1})
        assert back.told("ack")["next_seq"] == 4
        back.tells({"type": "message", "kind": "text", "text": "seven", "seq": 7})
        gap = back.told("error")
        assert (gap["code"], gap["next_seq"]) == ("out_of_order", 4)
        assert other.said(1) == "three"

    def test_commands_and_pings(self, programs: Programs) -> None:
        """A command is answered with a notice, a ping with a pong."""
        port = programs.romeo(stdin=NULL).port
        guest, _ = come(programs, port)
        plain = programs.caller(port)
        plain.hears("2 here")
        guest.tells({"type": "command", "name": "nick", "args": ["rosaline"]})
        plain.hears("* juliet is now rosaline\n")
        guest.tells({"type": "command", "name": "nosuch"})
        assert "unknown command /nosuch" in guest.heard.until(r'"unknown .*\n')[0].decode()
        guest.tells({"type": "ping", "number": 7})
        assert guest.told("pong") == {"type": "pong", "number": 7}

    def test_what_is_no_frame(self, programs: Programs) -> None:
        """It is answered with an error, and the connection lives on."""
        guest, _ = come(programs, programs.romeo("--max-line", "100", stdin=NULL).port)
        for line, code in [
            ("rubbish", "bad_frame"),
            ('{"type": "dance"}', "unknown_type"),
            ('{"type": "message"}', "bad_field"),
            (json.dumps({"type": "message", "kind": "text", "text": "x" * 101, "seq": 1}), "line_too_long"),
        ]:
            guest.says(f"{line}\n")
            assert guest.told("error")["code"] == code
        guest.tells({"type": "message", "kind": "text", "text": "still here", "seq": 2})
        assert guest.told("ack")["next_seq"] >= 2

    def test_goodbye(self, programs: Programs) -> None:
        """A goodbye is answered, and ends the connection and the stay."""
        port = programs.romeo(stdin=NULL).port
        guest, _ = come(programs, port)
        other = programs.caller(port)
        other.hears("2 here")
        guest.tells({"type": "bye"})
        assert guest.told("bye")["reason"] == "closed"
        guest.hears_all()
        guest.close()
        other.hears("* juliet left\n")

    def test_secret(self, programs: Programs) -> None:
        """[P14] A session's token stands in no file, and in no log."""
        romeo = programs.twist(
            "--log-level", "debug", "romeo", "--host", LOOPBACK, "--port", "0", "--state", "state", stdin=NULL
        )
        guest, token = come(programs, romeo.port)
        guest.tells({"type": "message", "kind": "text", "text": "hello", "seq": 1})
        guest.told("ack")
        files = [file.read_bytes() for file in (programs.folder / "state").iterdir()]
        romeo.signal(SIGTERM)
        written = [*files, romeo.output.everything(), romeo.errors.everything()]
        assert any(b"hello" in data for data in files)
        assert not any(token.encode() in data for data in written)

    def test_sigterm(self, programs: Programs) -> None:
        """[P18] When Romeo is ended everybody is told that he may be back."""
        romeo = programs.romeo(stdin=NULL)
        guest, _ = come(programs, romeo.port)
        romeo.signal(SIGTERM)
        assert guest.told("bye")["reason"] == "restart"
        guest.hears_all()
        guest.close()
        romeo.ends()

    def test_busy(self, programs: Programs) -> None:
        """Who finds no place is told so, in a full house and in a conversation of two."""
        full = programs.romeo("--guests", "1", stdin=NULL)
        of_two = programs.romeo()
        for romeo in (full, of_two):
            port = romeo.port
            come(programs, port)
            second = programs.native_caller(port)
            second.tells({**HELLO, "name": "rosaline"})
            assert second.told("bye")["reason"] == "busy"
            second.hears_all()
            second.close()

    def test_of_two(self, programs: Programs) -> None:
        """In a conversation of two there is no room, and both hear each other."""
        romeo = programs.romeo()
        guest = programs.native_caller(romeo.port)
        guest.tells(HELLO)
        assert guest.told("welcome").get("room") is None
        guest.tells({"type": "message", "kind": "text", "text": "hello", "seq": 1})
        assert guest.told("ack")["next_seq"] == 2
        romeo.shows("hello\n")
        romeo.writes("hello yourself ½\n")
        assert guest.told("message")["text"] == "hello yourself ½"
        romeo.end_input()
        assert guest.told("bye")["reason"] == "closed"
        guest.tells({"type": "bye"})
        guest.hears_all()
        guest.close()
        assert romeo.ends() == 0


def welcome(
    programs: Programs, listener: Listener, **different: object
) -> tuple[NativePeer, dict[str, object]]:
    """Answer the next call to ``listener`` and welcome the caller; return it, and its hello."""
    peer = programs.answer_natively(listener)
    hello = peer.told("hello")
    peer.tells({**WELCOME, **different})
    return peer, hello


def take_leave(peer: NativePeer, juliet: Program) -> None:
    """Hear her goodbye, answer it, and see her end well."""
    assert peer.told("bye")["type"] == "bye"
    peer.tells({"type": "bye", "reason": "closed"})
    peer.hears_all()
    peer.close()
    assert juliet.ends() == 0


def fails(juliet: Program) -> str:
    """Return the one line that she says of her own as she ends, with the status that tells of it."""
    assert juliet.ends() == UNAVAILABLE
    [line] = [
        line for line in juliet.errors.everything().decode().splitlines() if line.startswith("juliet: ")
    ]
    return line


class HostTests:
    """The real Juliet, and a Romeo in the hands of the test."""

    def test_script(self, programs: Programs) -> None:
        """What she says waits until it is stored; then she says goodbye."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, stdin=programs.file("script", "one\n/two ½\nexit\n"))
        romeo, hello = welcome(programs, listener)
        assert hello == HELLO
        say = romeo.told("message")
        assert (say["seq"], say["text"]) == (1, "one\n/two ½\nexit")
        romeo.tells({"type": "ack", "next_seq": 3, "last_id": 2})
        romeo.tells({"type": "ping", "number": 5})
        assert romeo.told("pong") == {"type": "pong", "number": 5}  # and no goodbye: a line is not stored yet
        assert b'"bye"' not in romeo.heard.data
        romeo.tells({"type": "ack", "next_seq": 4, "last_id": 3})
        take_leave(romeo, juliet)

    def test_hasty_goodbye(self, programs: Programs) -> None:
        """A goodbye that comes before everything is stored is answered when it is."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, stdin=programs.file("script", "one\n"))
        romeo, _ = welcome(programs, listener)
        romeo.said(1)
        romeo.tells({"type": "bye", "reason": "closed"})
        romeo.tells({"type": "ping", "number": 1})
        assert romeo.told("pong") == {"type": "pong", "number": 1}
        romeo.tells({"type": "ack", "next_seq": 2, "last_id": 1})
        assert romeo.told("bye")["type"] == "bye"
        romeo.hears_all()
        romeo.close()
        assert juliet.ends() == 0

    def test_one_call(self, programs: Programs) -> None:
        """What is said before Romeo, who answered the call, has welcomed her is no reason to call again."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, "--state", "juliet")
        romeo = programs.answer_natively(listener)
        romeo.told("hello")
        juliet.writes("one\n")
        wait_until(lambda: kept(programs.folder / "juliet") == 1)
        romeo.tells(WELCOME)
        assert romeo.said(1) == "one"
        assert not listener.set_nick

    def test_numbers_go_on(self, programs: Programs) -> None:
        """Started again with a state directory she goes on counting, though nothing waited in it."""
        listener = programs.listener()
        for number, line in enumerate(["one", "two"], 1):
            script = programs.file("script", f"{line}\n")
            juliet = programs.juliet(listener.port, "--state", "juliet", stdin=script)
            romeo, _ = welcome(programs, listener, next_seq=number)
            say = romeo.told("message")
            assert (say["seq"], say["text"]) == (number, line)
            romeo.tells({"type": "ack", "next_seq": number + 1, "last_id": number})
            take_leave(romeo, juliet)

    def test_what_she_shows(self, programs: Programs) -> None:
        """She shows what is said once, with ids; what it is about is no part of it."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, "--output", "json")
        romeo, _ = welcome(programs, listener, after_id=4, last_id=4)
        lines = {
            "type": "message",
            "kind": "text",
            "id": 5,
            "at": 1795349686158,
            "from": "rosaline",
            "text": "one\ntwo ½",
        }
        romeo.tells(lines)
        romeo.tells(lines)
        romeo.tells({"type": "skipped", "count": 3, "through_id": 9})
        romeo.tells(
            {
                "type": "message",
                "kind": "action",
                "id": 10,
                "at": 1795349687000,
                "from": "romeo",
                "text": "waves",
            }
        )
        romeo.tells({"type": "notice", "text": "rosaline left"})
        romeo.tells({"nosuch": True})
        juliet.states("* 3 lines are gone\n")
        juliet.states("* rosaline left\n")
        juliet.end_input()
        take_leave(romeo, juliet)
        shown = [json.loads(line) for line in juliet.output.everything().splitlines()]
        assert shown == [
            {
                "type": "message",
                "kind": "text",
                "id": 5,
                "at": 1795349686158,
                "from": "rosaline",
                "text": "one",
            },
            {
                "type": "message",
                "kind": "text",
                "id": 6,
                "at": 1795349686158,
                "from": "rosaline",
                "text": "two ½",
            },
            {
                "type": "message",
                "kind": "action",
                "id": 10,
                "at": 1795349687000,
                "from": "romeo",
                "text": "waves",
            },
        ]

    def test_broken_connection(self, programs: Programs) -> None:
        """She calls again, says where she is, and says again what is not stored and nothing else."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, stdin=programs.file("script", "one\ntwo\nthree\n"))
        romeo, _ = welcome(programs, listener)
        assert romeo.said(3) == "one\ntwo\nthree"
        romeo.tells(
            {"type": "message", "kind": "text", "id": 1, "at": 1500, "from": "romeo", "text": "hear me"}
        )
        juliet.shows("romeo: hear me\n")
        romeo.tells({"type": "ping", "number": 1})
        romeo.told("pong")
        romeo.reset()
        again, hello = welcome(programs, listener, next_seq=3, after_id=1)
        assert hello == {
            **HELLO,
            "session": "secret",
            "log_epoch": "verona",
            "room": "lobby",
            "last_seen_id": 1,
        }
        say = again.told("message")
        assert (say["seq"], say["text"]) == (3, "three")
        again.tells({"type": "ack", "next_seq": 4, "last_id": 4})
        take_leave(again, juliet)

    def test_another_log(self, programs: Programs) -> None:
        """Where Romeo has lost his log, all that waits is said again, with new numbers."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, stdin=programs.file("script", "one\ntwo\n"))
        romeo, _ = welcome(programs, listener)
        romeo.said(2)
        romeo.tells({"type": "ack", "next_seq": 2, "last_id": 1})
        romeo.tells({"type": "ping", "number": 1})
        romeo.told("pong")
        romeo.reset()
        again, _ = welcome(programs, listener, log_epoch="mantua", session="other")
        say = again.told("message")
        assert (say["seq"], say["text"]) == (1, "two")
        again.tells({"type": "ack", "next_seq": 2, "last_id": 1})
        take_leave(again, juliet)

    def test_restart(self, programs: Programs) -> None:
        """Told that he will be back she calls again within 5 s."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, stdin=NULL)
        romeo, _ = welcome(programs, listener)
        romeo.tells({"type": "bye", "reason": "restart"})
        romeo.hears_all()
        romeo.close()
        told = time.monotonic()
        again, hello = welcome(programs, listener)
        assert time.monotonic() - told < 5.5
        assert hello["session"] == "secret"
        again.tells({"type": "bye", "reason": "closed"})
        take_leave(again, juliet)

    def test_turned_away(self, programs: Programs) -> None:
        """Told that there is no place, or that she is not wanted, she says so and ends."""
        for reason in ("busy", "refused"):
            listener = programs.listener()
            juliet = programs.juliet(listener.port, stdin=NULL)
            romeo = programs.answer_natively(listener)
            romeo.told("hello")
            romeo.tells({"type": "bye", "reason": reason, "text": f"too {reason} today"})
            assert fails(juliet) == f"juliet: too {reason} today"

    def test_silence(self, programs: Programs) -> None:
        """She asks a silent Romeo whether he is there, and calls again when he is not."""
        listener = programs.listener()
        programs.juliet(listener.port, "--ping-interval", "0.3", "--ping-timeout", "0.9", stdin=NULL)
        romeo, _ = welcome(programs, listener)
        for number in (1, 2):
            ping = romeo.told("ping")
            assert ping["number"] == number
            romeo.tells({"type": "pong", "number": number})
        _, hello = welcome(programs, listener)
        assert hello["session"] == "secret"


class FallbackTests:
    """Juliet, and a Romeo who does not know the native dialect."""

    def test_plain(self, programs: Programs) -> None:
        """Without a welcome she shows what came, and speaks plain lines, of which none is confirmed."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, stdin=programs.file("script", "one\n/two\nexit\n"))
        romeo = programs.answer_natively(listener)
        romeo.says("before ½\n")
        assert romeo.told("hello") == HELLO
        assert romeo.hears_all().split("\n")[1:] == ["one", "//two", "exit ", ""]
        romeo.says("after\n")
        romeo.close()
        assert juliet.ends() == 0
        assert juliet.output.everything().decode() == "before ½\nafter\n"
        juliet.states("* the lines were sent, not confirmed")

    def test_early_goodbye(self, programs: Programs) -> None:
        """A plain Romeo who goes at once is shown, too, and ends the conversation."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, stdin=NULL)
        romeo = programs.answer_natively(listener)
        romeo.told("hello")
        romeo.says("no time")
        romeo.close()
        assert juliet.ends() == 0
        assert juliet.output.everything() == b"no time\n"

    def test_known_session(self, programs: Programs) -> None:
        """Where she has a session nothing but the native dialect is spoken, whatever he says."""
        listener, state = programs.listener(), str(programs.folder / "juliet")
        juliet = programs.juliet(listener.port, "--state", state, stdin=NULL)
        romeo, _ = welcome(programs, listener)
        juliet.states("Connected to romeo")
        romeo.tells({"type": "bye", "reason": "closed"})
        take_leave(romeo, juliet)
        juliet = programs.juliet(listener.port, "--state", state, "--ping-timeout", "2.5")
        juliet.writes("a secret\n")
        for _ in range(2):
            stranger = programs.answer_natively(listener)
            stranger.says("speak to me\n")
            assert stranger.told("hello")["session"] == "secret"
        assert b"a secret" not in stranger.heard.data
        juliet.kill()
        assert juliet.output.everything() == b""


class TimeoutTests:
    """A Romeo who accepts the call and stays silent."""

    def test_lost(self, programs: Programs) -> None:
        """She gives up, and says how many lines are lost."""
        listener = programs.listener()
        script = programs.file("script", "one\ntwo\n")
        juliet = programs.juliet(listener.port, "--timeout", "1", stdin=script)
        port = listener.port
        assert fails(juliet) == (
            f"juliet: no answer from 127.0.0.1:{port} in 1 s; 2 lines are not stored, and lost"
        )

    def test_kept(self, programs: Programs) -> None:
        """Or kept, also where he was silent only after his welcome; she says so when she starts again."""
        listener, state = programs.listener(), str(programs.folder / "juliet")
        options = ["--timeout", "1", "--state", state]
        juliet = programs.juliet(listener.port, *options, stdin=programs.file("script", "one\n"))
        welcome(programs, listener)
        assert fails(juliet).endswith(" in 1 s; 1 line is kept for the next time")
        juliet = programs.juliet(listener.port, *options, stdin=NULL)
        juliet.states("* 1 line is kept from the last time\n")
        romeo, _ = welcome(programs, listener)
        say = romeo.told("message")
        assert (say["seq"], say["text"]) == (1, "one")
