"""Direct mode, on real sockets: what a room can do, and what stays between the operator and one client."""

from __future__ import annotations

from pathlib import Path

from tests.functional.programs import LOOPBACK, PIPE, Peer, Program, Programs, Terminal
from tests.functional.test_native_peers import HELLO

SERVER = ("romeo", "--host", LOOPBACK, "--port", "0", "--keep-open", "--state", "state")


def server(programs: Programs, *options: str) -> Program:
    """Return a server in direct mode that has a state directory, and pipes at its operator's end."""
    return programs.twist(*SERVER, *options, stdin=PIPE)


def server_at_terminal(programs: Programs, stdout: Path | None = None) -> Terminal:
    """Return such a server with its operator at a terminal, whose standard output may be a file."""
    return programs.terminal(*SERVER, stdout=stdout)


def says_and_leaves(server: Program, client: Peer, text: str, heard: str = "") -> None:
    """Let a plain client, which heard no more than that, say a line and leave."""
    client.says(f"{text}\nexit\n")
    assert client.hears_all() == heard
    client.close()
    server.states("Connection closed by juliet.")


class HistoryTests:
    """Who sees what was said before."""

    def test_plain_messages_are_stored(self, programs: Programs) -> None:
        """What a plain client said is shown to the operator again after a restart, and to nobody else."""
        before = server(programs)
        says_and_leaves(before, programs.caller(before.port), "wherefore art thou")
        before.kill()
        after = server_at_terminal(programs)
        port = after.port
        after.until(r"\[\d\d:\d\d\] juliet: wherefore art thou\r\n")
        client = programs.caller(port)
        after.shows("Connected to juliet")
        client.says("/last\n")
        client.hears("* there are no messages yet\n")
        after.writes("/last\n")
        after.until(r"\[\d\d:\d\d\] juliet: wherefore art thou\r\n")

    def test_file(self, programs: Programs) -> None:
        """Nothing of it is ever on a standard output that is a file, also if the operator asks for it."""
        before = server(programs)
        says_and_leaves(before, programs.caller(before.port), "wherefore art thou")
        before.kill()
        heard = programs.folder / "heard"
        after = server_at_terminal(programs, heard)
        port = after.port
        after.writes("/last\n")
        after.until(r"\[\d\d:\d\d\] juliet: wherefore art thou\r\n")
        says_and_leaves(after, programs.caller(port), "deny thy father")
        after.writes("exit\n")
        assert after.ends() == 0
        assert heard.read_text() == "deny thy father\n"

    def test_client_that_returns(self, programs: Programs) -> None:
        """A native client goes on where it was, but not with what was said to another one meanwhile."""
        first = server(programs)
        client = programs.native_caller(first.port)
        client.tells(HELLO)
        welcome = client.told("welcome")
        first.writes("for the first\n")
        client.told("message")
        first.kill()
        client.close()
        known = {"session": welcome["session"], "log_epoch": welcome["log_epoch"], "last_seen_id": 0}
        second = server(programs)
        port = second.port
        back = programs.native_caller(port)
        back.tells({**HELLO, **known})
        assert back.told("message")["text"] == "for the first"
        back.close()
        second.states("Connection to juliet lost.")
        other = programs.caller(port)
        second.states("Connected to juliet")
        second.writes("for the other\n")
        other.hears("for the other\n")
        says_and_leaves(second, other, "from the other", "for the other\n")
        second.writes("for nobody in particular\n")
        back = programs.native_caller(port)
        back.tells({**HELLO, **known})
        assert back.told("message")["text"] == "for nobody in particular"


class CommandTests:
    """What a client can ask for."""

    def test_plain(self, programs: Programs) -> None:
        """A plain client is answered in notices; what is not for one room is unknown."""
        romeo = server(programs, "--output", "names")
        client = programs.caller(romeo.port)
        client.says("/who\n")
        client.hears("* 2 here: romeo, juliet\n")
        client.says("/me waves\n")
        romeo.shows("** juliet waves\n")
        client.says("/help\n")
        client.hears("* /quit - ")
        client.says("/join verona\n")
        client.hears("* unknown command /join")
        romeo.writes("bare\n")
        client.hears("bare\n")
        client.says("/quit\n")
        assert client.hears_all().endswith("bare\n* goodbye\n")
        client.close()
        romeo.states("Connection closed.\n")

    def test_own_door(self, programs: Programs) -> None:
        """The operator can come by the admin socket, and is the same for the client."""
        romeo = server(programs, "--socket", "own")
        client = programs.caller(romeo.port)
        romeo.states("Connected to juliet")
        own = programs.own_caller(programs.folder / "own")
        own.tells(HELLO)
        own.told("welcome")
        own.tells({"type": "message", "kind": "text", "text": "from elsewhere", "seq": 1})
        client.hears("from elsewhere\n")
        client.says("/who\n")
        client.hears("* 2 here: romeo, juliet\n")
        client.says("good day\n")
        assert own.told("message")["text"] == "good day"


class WaitingTests:
    """What is said while nobody is there."""

    def test_waits(self, programs: Programs) -> None:
        """It is the first that the next client is sent."""
        romeo = server_at_terminal(programs)
        port = romeo.port
        romeo.writes("anybody\nthere\n")
        client = programs.caller(port)
        client.hears("anybody\nthere\n")
