"""Tests of `techboy.terminal.formatting`."""

from __future__ import annotations

import re
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.chat.messages import Message
from techboy.terminal.formats import OutputFormats
from techboy.terminal.formatting import (
    PALETTE,
    MentionMatcher,
    MessageFormatter,
    PlainFormatter,
    StyledText,
    supports_bold,
    supports_colours,
)
from techboy.wire.sanitize import sanitize
from tests.children import run

DAY = 86400.0
NOON = 1795435200.0  # Monday, 23 November 2026, 12:00 UTC
SGR = re.compile(r"\x1b\[[0-9;]*m")


def painter(*, colours: bool = False, bold: bool = False) -> MessageFormatter:
    """Return a painter for juliet, in the time zone UTC."""
    return MessageFormatter("juliet", time.gmtime, colours=colours, bold=bold)


def rgb(index: int) -> list[int]:
    """Return red, green and blue of a colour, as xterm has its cube of them."""
    return [55 + 40 * part if part else 0 for part in (*divmod((index - 16) // 6, 6), (index - 16) % 6)]


def luminance(index: int) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [part / 255 for part in rgb(index)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


class ColoursTests:
    """Whether there are colours, and bold letters."""

    @pytest.mark.parametrize(
        ("environ", "coloured", "emboldened"),
        [
            ({"TERM": "xterm-256color"}, True, True),
            ({"TERM": "linux"}, True, True),
            ({"TERM": "xterm", "NO_COLOR": "1"}, False, True),
            ({"TERM": "xterm", "NO_COLOR": "0"}, False, True),
            ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
            ({"TERM": "vt100"}, False, True),
            ({"TERM": "linux-m"}, False, True),
            ({"TERM": "xterm-mono"}, False, True),
            ({"TERM": "dumb"}, False, False),
            ({"TERM": "unknown"}, False, False),
            ({"TERM": ""}, False, False),
            ({}, False, False),
            ({"OS": "Windows_NT"}, True, True),
            ({"OS": "Windows_NT", "NO_COLOR": "1"}, False, True),
        ],
    )
    def test_environment(self, environ: dict[str, str], coloured: bool, emboldened: bool) -> None:
        """NO_COLOR takes the colours, a terminal that can do nothing takes bold letters too."""
        assert (supports_colours(environ), supports_bold(environ)) == (coloured, emboldened)

    @pytest.mark.parametrize("index", PALETTE)
    def test_readable(self, index: int) -> None:
        """Each colour can be read on black and on white."""
        light = luminance(index)
        assert (light + 0.05) / 0.05 >= 4
        assert 1.05 / (light + 0.05) >= 4

    def test_stable(self) -> None:
        """A name has the same colour in every run, however it is written."""
        code = (
            "import time\n"
            "from techboy.chat.messages import Message\n"
            "from techboy.terminal.formatting import MessageFormatter\n"
            "formatter = MessageFormatter('', time.gmtime, colours=True)\n"
            "print(repr(formatter.format_message(Message('Nurse', ''), 0).text))"
        )
        elsewhere = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        here = painter(colours=True, bold=True).format_message(Message("Nurse", ""), 0)
        assert elsewhere.stdout == f"{here.text!r}\n"
        other = painter(colours=True, bold=True).format_message(Message("nURSE", ""), 0)
        assert other.text == here.text.replace("Nurse", "nURSE")

    def test_different(self) -> None:
        """Names differ in their colours."""
        shown = {
            painter(colours=True).format_message(Message(name, ""), 0).text.replace(name, "")
            for name in ("romeo", "juliet", "nurse", "mercutio", "tybalt", "benvolio", "rosaline", "paris")
        }
        assert len(shown) >= 5


class CalledTests:
    """How a name is found in what is said."""

    @pytest.mark.parametrize(
        "text",
        [
            "juliet",
            "Juliet!",
            "o JULIET.",
            "@juliet",
            "(juliet)",
            "juliet's",
            "a\nis juliet\nb",
            "hm...juliet...",
        ],
    )
    def test_called(self, text: str) -> None:
        """A name is a word of its own, in any case, whatever stands around it."""
        assert MentionMatcher("juliet").is_in(text)

    @pytest.mark.parametrize(
        "text",
        ["", "juliette", "ejuliet", "éjuliet", "juliet2", "juliet-2", "juliet.b", "la-juliet", "jul\niet"],
    )
    def test_not_called(self, text: str) -> None:
        """A part of another word, or of another name, is nobody's name."""
        assert not MentionMatcher("juliet").is_in(text)

    @pytest.mark.parametrize(("name", "text"), [("a.b", "hello a.b."), (".", "well . well"), ("x-", "x- ?")])
    def test_odd_names(self, name: str, text: str) -> None:
        """Dots and hyphens of a name are themselves."""
        assert MentionMatcher(name).is_in(text)
        assert not MentionMatcher(name).is_in(text.replace(name, "axb"))

    def test_nobody(self) -> None:
        """Nobody is called by no name."""
        assert not MentionMatcher("").is_in("hello")


class PainterTests:
    """What a person sees."""

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (Message("nurse", "hello"), "12:00 nurse: hello\n"),
            (Message("nurse", "a\n\nb"), "12:00 nurse: a\n12:00 nurse: \n12:00 nurse: b\n"),
            (Message("nurse", "waves\nsighs", "action"), "12:00 ** nurse waves\n12:00 ** nurse sighs\n"),
            (Message("nurse", "hello", at=NOON - 3540), "11:01 nurse: hello\n"),
            (Message("nurse", "hello", at=NOON - 60, past=True), "11:59 nurse: hello\n"),
        ],
    )
    def test_format_message(self, words: Message, text: str) -> None:
        """Each line has its time, that of the log if it is known, and its author."""
        assert painter().format_message(words, NOON) == StyledText(text, False)

    def test_colours(self) -> None:
        """The name is in its colour and bold, and nothing else is."""
        text = painter(colours=True, bold=True).format_message(Message("nurse", "hello"), NOON).text
        assert re.fullmatch(r"12:00 \x1b\[1;38;5;\d+mnurse\x1b\[0m: hello\n", text)
        text = painter(colours=True).format_message(Message("nurse", "bows", "action"), NOON).text
        assert re.fullmatch(r"12:00 \*\* \x1b\[38;5;\d+mnurse\x1b\[0m bows\n", text)
        assert (
            painter(bold=True).format_message(Message("nurse", "a"), NOON).text
            == "12:00 \x1b[1mnurse\x1b[0m: a\n"
        )

    def test_mentioned(self) -> None:
        """Of what somebody says the lines with one's own name are bold, and it is told that there are any."""
        painted = painter(bold=True).format_message(Message("nurse", "well\nJuliet!\nwell"), NOON)
        name = "\x1b[1mnurse\x1b[0m"
        assert painted == StyledText(
            f"12:00 {name}: well\n\x1b[1m12:00 {name}\x1b[1m: Juliet!\x1b[0m\n12:00 {name}: well\n", True
        )
        assert painter().format_message(Message("nurse", "Juliet!"), NOON) == StyledText(
            "12:00 nurse: Juliet!\n", True
        )

    def test_mentioned_by_oneself(self) -> None:
        """One's own name in one's own words, or before them, is no mention."""
        painted = painter(bold=True).format_message(Message("JULIET", "I am Juliet"), NOON)
        assert painted == StyledText("12:00 \x1b[1mJULIET\x1b[0m: I am Juliet\n", False)
        assert not painter().format_own("I am Juliet", NOON).mentions

    def test_called_something_else(self) -> None:
        """Who is called something else is mentioned by that name from then on."""
        juliet = painter()
        juliet.name = "rosaline"
        assert juliet.format_message(Message("nurse", "rosaline?"), NOON).mentions
        assert not juliet.format_message(Message("nurse", "juliet?"), NOON).mentions
        assert juliet.format_own("here", NOON).text == "12:00 rosaline: here\n"

    def test_own(self) -> None:
        """What was said here looks like what others say."""
        assert painter().format_own("a\nb", NOON).text == "12:00 juliet: a\n12:00 juliet: b\n"
        said = painter(colours=True).format_message(Message("juliet", "a"), NOON)
        assert painter(colours=True).format_own("a", NOON) == said

    def test_state(self) -> None:
        """What is told about the conversation has its time, and mentions nobody."""
        assert painter(bold=True).format_status("* juliet joined\n* b", NOON) == StyledText(
            "12:00 * juliet joined\n12:00 * b\n", False
        )

    def test_format_prefixed(self) -> None:
        """Lines that say themselves who spoke are painted as if that were told; notices stay as they are."""
        painted = painter(colours=True, bold=True)
        lines = "nurse: hello\n* tybalt joined\n** nurse bows\n[11:59] nurse: ay me\nno name at all"
        shown = painted.format_prefixed(lines, NOON)
        assert not shown.mentions
        assert SGR.sub("", shown.text) == "".join(f"12:00 {line}\n" for line in lines.split("\n"))
        first, second, third, fourth, last = shown.text.splitlines()
        assert first + "\n" == painted.format_message(Message("nurse", "hello"), NOON).text
        assert second == "12:00 * tybalt joined"
        assert third + "\n" == painted.format_message(Message("nurse", "bows", "action"), NOON).text
        assert fourth.startswith("12:00 [11:59] \x1b[1;38;5;")
        assert last == "12:00 no name at all"

    def test_format_prefixed_mention(self) -> None:
        """Only what somebody else says there is a mention, no notice and none of one's own lines."""
        juliet = painter(bold=True)
        quiet = (
            "* welcome to lobby, juliet; hello\njuliet: I am juliet\n[11:00] juliet: juliet\n* nurse: juliet"
        )
        assert not juliet.format_prefixed(quiet, NOON).mentions
        assert juliet.format_prefixed("nurse: hm\n[11:00] nurse: juliet?", NOON) == StyledText(
            "12:00 \x1b[1mnurse\x1b[0m: hm\n"
            "\x1b[1m12:00 [11:00] \x1b[1mnurse\x1b[0m\x1b[1m: juliet?\x1b[0m\n",
            True,
        )
        assert juliet.format_prefixed("** nurse nods to juliet", NOON) == juliet.format_message(
            Message("nurse", "nods to juliet", "action"), NOON
        )
        assert not juliet.format_prefixed("** juliet is juliet", NOON).mentions

    def test_format_prefixed_on_another_day(self) -> None:
        """So it is on a line of another day, which has the date before its time."""
        [before, line] = ["[2026-11-22 11:00] ", "nurse: juliet?"]
        painted = painter(bold=True).format_prefixed(before + line, NOON)
        assert painted.mentions
        assert painted.text == f"\x1b[1m12:00 {before}\x1b[1mnurse\x1b[0m\x1b[1m: juliet?\x1b[0m\n"

    def test_action_and_notice(self) -> None:
        """What somebody does never looks like a notice."""
        left = Message("nurse", "left", "action")
        shown = {
            painter().format_message(left, NOON).text,
            painter().format_prefixed("** nurse left", NOON).text,
        }
        assert shown == {"12:00 ** nurse left\n"}
        assert painter().format_status("* nurse left", NOON).text == "12:00 * nurse left\n"

    def test_midnight(self) -> None:
        """When the day changes, a line of its own says which it is, once."""
        shown = painter()
        assert shown.format_status("good night", NOON).text == "12:00 good night\n"
        assert shown.format_own("a", NOON + DAY).text == "* Tuesday, 24 November 2026\n12:00 juliet: a\n"
        assert shown.format_status("b", NOON + DAY + 60).text == "12:01 b\n"

    def test_catching_up(self) -> None:
        """What was said on earlier days is shown as of those, and then it is today again."""
        shown = painter()
        texts = [
            shown.format_status("hello", NOON).text,
            shown.format_message(Message("nurse", "a", at=NOON - DAY), NOON).text,
            shown.format_message(Message("nurse", "b", at=NOON - DAY + 60), NOON).text,
            shown.format_message(Message("nurse", "c", at=NOON), NOON).text,
        ]
        assert texts == [
            "12:00 hello\n",
            "* Sunday, 22 November 2026\n12:00 nurse: a\n",
            "12:01 nurse: b\n",
            "* Monday, 23 November 2026\n12:00 nurse: c\n",
        ]

    def test_begins_in_the_past(self) -> None:
        """The first thing shown is of today, unless it says otherwise."""
        text = painter().format_message(Message("nurse", "a", at=NOON - 3 * DAY), NOON).text
        assert text == "* Friday, 20 November 2026\n12:00 nurse: a\n"

    def test_impossible_time(self) -> None:
        """A time that no calendar has is taken for now."""
        for at in (2.0**70, -(2.0**70), float("inf"), float("nan")):
            assert painter().format_message(Message("nurse", "a", at=at), NOON).text == "12:00 nurse: a\n"

    @given(
        st.text(alphabet=st.characters(), max_size=20),
        st.text(alphabet=st.sampled_from("juliet \n:*[]019\x1b\x85\u2028\u202e\udcff")),
        st.sampled_from(["text", "action"]),
        st.booleans(),
    )
    def test_safe(self, author: str, text: str, kind: str, coloured: bool) -> None:
        """Whatever is said, no line is more or less, and nothing reaches the terminal but colours of ours."""
        shown = painter(colours=coloured, bold=True)
        lines = text.count("\n") + 1
        for painted in (
            shown.format_message(Message(author, text, kind), NOON),
            shown.format_prefixed(text, NOON),
            shown.format_own(text, NOON),
            shown.format_status(text, NOON),
        ):
            bare = SGR.sub("", painted.text)
            assert bare == sanitize(bare)
            assert bare.count("\n") == painted.text.count("\n") == lines
            assert bare.endswith("\n")
            assert all(line.startswith("12:00 ") for line in bare.removesuffix("\n").split("\n"))


class UndecoratedTests:
    """What is shown where --output says how."""

    @staticmethod
    def undecorated(choice: str) -> PlainFormatter:
        """Return what shows it for juliet as chosen."""
        return PlainFormatter(OutputFormats(choice, True, lambda: NOON, lambda at: "11:00"), "juliet")

    @pytest.mark.parametrize(
        ("choice", "text"),
        [
            ("names", "nurse: hello\n"),
            ("bare", "hello\n"),
            (
                "json",
                '{"type": "message", "kind": "text", "id": 7, "at": 1795435200000,'
                ' "from": "nurse", "text": "hello"}\n',
            ),
        ],
    )
    def test_format_message(self, choice: str, text: str) -> None:
        """What was chosen is shown as it is elsewhere than on a terminal."""
        assert (
            self.undecorated(choice).format_message(Message("nurse", "hello", first=7, at=NOON), NOON).text
            == text
        )

    @pytest.mark.parametrize(
        ("choice", "text"),
        [
            ("names", "nurse: hello\n"),
            ("bare", "nurse: hello\n"),
            (
                "json",
                '{"type": "message", "kind": "text", "id": 1, "at": 1795435200000,'
                ' "from": "romeo", "text": "nurse: hello"}\n',
            ),
        ],
    )
    def test_format_prefixed(self, choice: str, text: str) -> None:
        """So are lines that say themselves who spoke."""
        assert self.undecorated(choice).format_prefixed("nurse: hello", NOON).text == text

    @pytest.mark.parametrize("choice", ["names", "bare", "json"])
    def test_here(self, choice: str) -> None:
        """What was typed, and what is told of the conversation, looks the same whatever was chosen."""
        shown = self.undecorated(choice)
        assert shown.format_own("a\nb", NOON) == StyledText("juliet: a\njuliet: b\n", False)
        assert shown.format_status("* a", NOON) == StyledText("* a\n", False)

    def test_mentions(self) -> None:
        """It is known who is mentioned, for the bell."""
        shown = self.undecorated("json")
        assert shown.format_message(Message("nurse", "Juliet!"), NOON).mentions
        assert not shown.format_message(Message("juliet", "Juliet!"), NOON).mentions
        assert shown.format_prefixed("nurse: hello, juliet", NOON).mentions
        shown.name = "rosaline"
        assert not shown.format_prefixed("nurse: hello, juliet", NOON).mentions

    def test_safe(self) -> None:
        """Nothing unsafe reaches the terminal."""
        shown = self.undecorated("bare")
        for painted in (
            shown.format_message(Message("nurse", "\x1b[2J"), NOON),
            shown.format_prefixed("\x1b[2J", NOON),
            shown.format_own("\x1b[2J", NOON),
            shown.format_status("\x1b[2J", NOON),
        ):
            assert "\x1b" not in painted.text
