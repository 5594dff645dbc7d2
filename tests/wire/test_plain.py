"""Tests of the plain dialect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.wire.plain import (
    CLIENT,
    SERVER,
    Command,
    Event,
    Goodbye,
    PlainMessage,
    PlainProtocol,
    notice,
    signed_lines,
)
from tests.wire.texts import any_bytes, clean_texts, quick

BOTH = pytest.mark.parametrize("end", [SERVER, CLIENT], ids=["host", "caller"])


def one_by_one(end: PlainProtocol, block: bytes) -> list[Event]:
    """Understand each line of ``block`` for itself, and join what was said."""
    events: list[Event] = []
    for line in block.split(b"\n"):
        [event] = end.parse(line)
        last = events[-1] if events else None
        if isinstance(event, PlainMessage) and isinstance(last, PlainMessage):
            events[-1] = PlainMessage(f"{last.text}\n{event.text}")
        else:
            events.append(event)
        if isinstance(event, Goodbye):
            break
    return events


def spaced(text: str) -> str:
    """Return ``text`` with a blank after each line that would be a goodbye."""
    return "\n".join(f"{line} " if line.lower() == "exit" else line for line in text.split("\n"))


class UnderstandTests:
    """What lines mean."""

    @BOTH
    @pytest.mark.parametrize(
        "block", [b"", b"hello", b"hello\nyou", b"\n\n", b"a // b", b"not an exit", b" exit"]
    )
    def test_said(self, end: PlainProtocol, block: bytes) -> None:
        """Lines are said as they are, all together."""
        assert end.parse(block) == [PlainMessage(block.decode())]

    @BOTH
    def test_cleaned(self, end: PlainProtocol) -> None:
        """What is unsafe for a terminal is never heard."""
        assert end.parse(b"a\x1b[2J\r\nexit?\x9b\r") == [PlainMessage("a\ufffd[2J\nexit?\ufffd")]

    @BOTH
    @pytest.mark.parametrize("line", [b"exit", b"EXIT", b"Exit", b"exit\r"])
    def test_goodbye(self, end: PlainProtocol, line: bytes) -> None:
        """`exit` alone on a line is the goodbye, in any case and with any line end."""
        assert end.parse(line) == [Goodbye()]

    @BOTH
    def test_after_goodbye(self, end: PlainProtocol) -> None:
        """What was said before the goodbye is heard, and what came after it is not."""
        assert end.parse(b"bye\nsee you\nexit\nexit\nhello?") == [
            PlainMessage("bye\nsee you"),
            Goodbye(),
        ]

    @BOTH
    @pytest.mark.parametrize("line", [b"exit ", b" exit", b"exits", b"exit\tnow", b"exit\x00"])
    def test_no_goodbye(self, end: PlainProtocol, line: bytes) -> None:
        """A line with anything else than `exit` in it is said."""
        [event] = end.parse(line)
        assert isinstance(event, PlainMessage)

    def test_command(self) -> None:
        """A line that begins with a slash is a command to the host."""
        assert SERVER.parse(b"/nick rosaline") == [Command("nick rosaline")]

    def test_command_later(self) -> None:
        """A command is heard on any line, not only on the first."""
        assert SERVER.parse(b"hello\n/who") == [PlainMessage("hello"), Command("who")]

    def test_command_cleaned(self) -> None:
        """A command holds nothing unsafe either."""
        assert SERVER.parse(b"/ni\x1bck\r") == [Command("ni\ufffdck")]

    def test_literal_slash(self) -> None:
        """Two slashes say one, so that anything can be said to a host."""
        assert SERVER.parse(b"//etc\n///\n//exit") == [PlainMessage("/etc\n//\n/exit")]

    def test_order(self) -> None:
        """What is said and asked for is heard in its order."""
        assert SERVER.parse(b"a\nb\n/one\n/two\n\nc\nexit") == [
            PlainMessage("a\nb"),
            Command("one"),
            Command("two"),
            PlainMessage("\nc"),
            Goodbye(),
        ]

    def test_callers_obey_nothing(self) -> None:
        """A host may say a slash; nothing that it says is a command."""
        assert CLIENT.parse(b"/etc\n//\nexit") == [PlainMessage("/etc\n//"), Goodbye()]

    @quick
    @given(st.sampled_from([SERVER, CLIENT]), any_bytes())
    def test_together(self, end: PlainProtocol, block: bytes) -> None:
        """Lines that arrive together mean what they mean one by one."""
        assert end.parse(block) == one_by_one(end, block)


class CommandTests:
    """A command is known by its first word."""

    @pytest.mark.parametrize(
        ("line", "word"),
        [("nick rosaline", "nick"), ("who", "who"), ("", ""), (" x", ""), ("a  b", "a"), ("a\tb", "a")],
    )
    def test_word(self, line: str, word: str) -> None:
        assert Command(line).word == word


class WrittenTests:
    """What is said is written so that it is heard as it was said."""

    @pytest.mark.parametrize("text", ["", "hello", "a\n\nb", "not an exit", "exit ", "é\U0001f339", "a/b"])
    @BOTH
    def test_as_it_is(self, end: PlainProtocol, text: str) -> None:
        assert end.encode(text) == text.encode()

    @BOTH
    def test_exit(self, end: PlainProtocol) -> None:
        """A line `exit` that was said ends nobody's conversation."""
        assert end.encode("a\nexit\nExit\nexits") == b"a\nexit \nExit \nexits"

    def test_slash_to_host(self) -> None:
        """A slash that was said is no command to the host."""
        assert CLIENT.encode("/etc\na/b\n//") == b"//etc\na/b\n///"

    def test_slash_later(self) -> None:
        """No more is a slash on a later line."""
        assert CLIENT.encode("hello\n/etc") == b"hello\n//etc"

    def test_slash_to_caller(self) -> None:
        """A caller obeys no commands, and gets a slash as it is."""
        assert SERVER.encode("/etc\n//") == b"/etc\n//"

    @quick
    @given(clean_texts())
    def test_to_host(self, text: str) -> None:
        """Whatever the caller says, the host hears it said; a line `exit` alone has a blank after it."""
        assert SERVER.parse(CLIENT.encode(text)) == [PlainMessage(spaced(text))]

    @quick
    @given(clean_texts())
    def test_to_caller(self, text: str) -> None:
        """Whatever the host says, the caller hears it said; a line `exit` alone has a blank after it."""
        assert CLIENT.parse(SERVER.encode(text)) == [PlainMessage(spaced(text))]


class NoticeTests:
    """A line about the conversation is told from what is said in it."""

    def test_mark(self) -> None:
        """A notice begins with an asterisk and a blank."""
        assert notice("one is busy") == "* one is busy"


class InRoomTests:
    """In a room of many it is seen who says what."""

    @pytest.mark.parametrize(
        ("kind", "text", "shown"),
        [
            ("text", "hello", "romeo: hello"),
            ("text", "", "romeo: "),
            ("text", "hello\n\nyou", "romeo: hello\nromeo: \nromeo: you"),
            ("text", "juliet: hello", "romeo: juliet: hello"),
            ("action", "climbs", "** romeo climbs"),
            ("action", "climbs\nfalls", "** romeo climbs\n** romeo falls"),
        ],
    )
    def test_shown(self, kind: str, text: str, shown: str) -> None:
        """The name is before every line, so that none can be taken for another's."""
        assert signed_lines("romeo", kind, text) == shown

    @quick
    @given(st.sampled_from([("text", "romeo: "), ("action", "** romeo ")]), clean_texts())
    def test_every_line(self, how: tuple[str, str], text: str) -> None:
        """Whatever is said, no line of it stands without its author."""
        kind, before = how
        lines = signed_lines("romeo", kind, text).split("\n")
        assert [line.removeprefix(before) for line in lines] == text.split("\n")
        assert all(line.startswith(before) for line in lines)

    @quick
    @given(
        st.from_regex(r"[A-Za-z0-9_.-]{1,32}", fullmatch=True),
        st.sampled_from(["text", "action"]),
        clean_texts(),
    )
    def test_no_notice(self, name: str, kind: str, text: str) -> None:
        """No line of anybody begins as a notice does, whatever the name, and what is said or done."""
        beginning = notice("")
        assert not any(line.startswith(beginning) for line in signed_lines(name, kind, text).split("\n"))
