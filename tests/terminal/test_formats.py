"""Tests of how what is said is shown."""

from __future__ import annotations

import json

import pytest

from techboy.chat.messages import Message
from techboy.terminal.formats import (
    CHOICES,
    MessageFormat,
    OutputFormats,
    bare_format,
    json_format,
    names_format,
)

THEN, NOW = 1795349686.15849, 1795350000.5
MANY = Message("nurse", "a\nb", first=7, at=THEN)


def now() -> float:
    return NOW


def at_noon(at: float) -> str:
    return "12:00" if at == THEN else "another time"


def shown(choice: str, terminal: bool) -> OutputFormats:
    """Return what ``choice`` makes of a ``terminal``, or of another place."""
    return OutputFormats(choice, terminal, now, at_noon)


class NamedTests:
    """Each line with its author's name."""

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("hello", "juliet: hello\n"),
            ("", "juliet: \n"),
            ("a\n\nb", "juliet: a\njuliet: \njuliet: b\n"),
        ],
    )
    def test_lines(self, text: str, shown: str) -> None:
        """No line stands without its author."""
        assert names_format(at_noon)(Message("juliet", text)) == shown

    def test_done(self) -> None:
        """What somebody does is no speech."""
        assert (
            names_format(at_noon)(Message("juliet", "waves\nsighs", "action"))
            == "** juliet waves\n** juliet sighs\n"
        )

    @pytest.mark.parametrize(
        ("kind", "shown"),
        [
            ("text", "[12:00] juliet: a\n[12:00] juliet: b\n"),
            ("action", "[12:00] ** juliet a\n[12:00] ** juliet b\n"),
        ],
    )
    def test_past(self, kind: str, shown: str) -> None:
        """What was said before this end came in has its time before each line."""
        assert names_format(at_noon)(Message("juliet", "a\nb", kind, 5, THEN, past=True)) == shown

    def test_present(self) -> None:
        """What is said now has no time, though it is known."""
        assert names_format(at_noon)(MANY) == "nurse: a\nnurse: b\n"


class BareTests:
    """Only what was said."""

    @pytest.mark.parametrize("text", ["hello", "", "a\n\nb", "\ttab"])
    @pytest.mark.parametrize("past", [True, False])
    def test_lines(self, text: str, past: bool) -> None:
        """What is shown is what was said, with its last line ended."""
        assert bare_format(Message("juliet", text, at=THEN, past=past)) == text + "\n"


def objects(output: MessageFormat, *words: Message) -> list[dict[str, object]]:
    """Return the objects that are shown of ``words``."""
    return [json.loads(line) for said in words for line in output(said).splitlines()]


class JsonLinesTests:
    """An object for each line, for programs."""

    def test_object(self) -> None:
        """It is the message of the native protocol, with all of its fields."""
        assert json_format(now)(Message("juliet", 'é "\t', at=THEN)) == (
            '{"type": "message", "kind": "text", "id": 1, "at": 1795349686158, "from": "juliet",'
            ' "text": "é \\"\\t"}\n'
        )

    def test_time_unknown(self) -> None:
        """Where it is not known when something was said, it is now."""
        (line,) = objects(json_format(now), Message("juliet", "hello"))
        assert line["at"] == round(NOW * 1000)

    def test_ids(self) -> None:
        """Where ids are not known they count lines from 1 on, without a hole."""
        lines = objects(json_format(now), Message("juliet", "a\n"), Message("juliet", "b"))
        assert [(line["id"], line["text"]) for line in lines] == [(1, "a"), (2, ""), (3, "b")]

    def test_ids_given(self) -> None:
        """Where they are known they are those of the log, holes and all."""
        lines = objects(json_format(now), MANY, Message("juliet", "c", first=12, at=THEN))
        assert [(line["id"], line["text"]) for line in lines] == [(7, "a"), (8, "b"), (12, "c")]

    def test_kind(self) -> None:
        """An action is of another kind than text."""
        done, said = objects(
            json_format(now), Message("juliet", "waves", "action"), Message("juliet", "hello")
        )
        assert (done["kind"], said["kind"]) == ("action", "text")


class ShownTests:
    """The choices of --output."""

    TWO = Message("juliet", "hello")

    @pytest.mark.parametrize("terminal", [True, False])
    @pytest.mark.parametrize(("choice", "text"), [("names", "juliet: hello\n"), ("bare", "hello\n")])
    def test_outright(self, choice: str, text: str, terminal: bool) -> None:
        """What is said outright holds, terminal or not, among two and among many."""
        output = shown(choice, terminal)
        assert (output.direct(self.TWO), output.multi_user(self.TWO)) == (text, text)

    @pytest.mark.parametrize("terminal", [True, False])
    def test_json(self, terminal: bool) -> None:
        """JSON is JSON, terminal or not, whoever speaks, and counts all its lines together."""
        output = shown("json", terminal)
        lines = [json.loads(show(self.TWO)) for show in (output.direct, output.multi_user, output.prefixed)]
        assert [(line["id"], line["from"], line["text"]) for line in lines] == [
            (number, "juliet", "hello") for number in (1, 2, 3)
        ]

    @pytest.mark.parametrize(("terminal", "text"), [(True, "juliet: hello\n"), (False, "hello\n")])
    def test_auto_of_two(self, terminal: bool, text: str) -> None:
        """Of two, a person sees who said it; a file gets what was said, and nothing else."""
        assert shown("auto", terminal).direct(self.TWO) == text

    @pytest.mark.parametrize("terminal", [True, False])
    def test_auto_of_many(self, terminal: bool) -> None:
        """Of many, it is always shown who spoke."""
        assert shown("auto", terminal).multi_user(MANY) == "nurse: a\nnurse: b\n"

    @pytest.mark.parametrize("choice", ["auto", "names", "bare"])
    def test_signed(self, choice: str) -> None:
        """Lines that say themselves who speaks are shown as they are."""
        assert shown(choice, True).prefixed(Message("romeo", "nurse: hello")) == "nurse: hello\n"

    def test_choices(self) -> None:
        """The first choice is the one that is taken where none is made."""
        assert CHOICES[0] == "auto"
