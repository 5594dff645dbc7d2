"""Tests of the prompt."""

from __future__ import annotations

import pytest

from techboy.terminal.plain_prompt import PlainPrompt, erase_sequence

ERASE = b"<erase>"


class PromptTests:
    """The words that invite to type."""

    def test_before(self) -> None:
        """Nobody is invited to talk to nobody."""
        prompt = PlainPrompt("romeo", ERASE)
        assert prompt.show_again() == b""
        assert prompt.print_above(b"hello\n") == b"hello\n"
        assert prompt.hide_prompt() == b""

    def test_invite(self) -> None:
        """The invitation is the name of who types."""
        assert PlainPrompt("žofie", ERASE).show_prompt() == "žofie: ".encode()

    def test_typed(self) -> None:
        """After each line it stands there again."""
        prompt = PlainPrompt("romeo", ERASE)
        prompt.show_prompt()
        assert prompt.show_again() == b"romeo: "

    def test_around(self) -> None:
        """What is shown stands above the invitation, not after it."""
        prompt = PlainPrompt("romeo", ERASE)
        prompt.show_prompt()
        assert prompt.print_above(b"juliet: hi\n") == ERASE + b"juliet: hi\n" + b"romeo: "

    def test_hide_prompt(self) -> None:
        """It is taken away once, and nothing brings it back but the next invitation."""
        prompt = PlainPrompt("romeo", ERASE)
        prompt.show_prompt()
        assert prompt.hide_prompt() == ERASE
        assert prompt.hide_prompt() == b""
        assert prompt.show_again() == b""
        assert prompt.print_above(b"hello\n") == b"hello\n"
        assert prompt.show_prompt() == b"romeo: "


class ErasingTests:
    """How a line is cleared depends on the terminal."""

    @pytest.mark.parametrize("term", ["xterm-256color", "linux", "vt100"])
    def test_able(self, term: str) -> None:
        """Most terminals clear the line that the cursor is on."""
        assert erase_sequence(term, 80, "linux") == b"\r\x1b[K"

    @pytest.mark.parametrize("term", [None, "", "dumb"])
    def test_dumb(self, term: str | None) -> None:
        """One that can't, or of which nothing is known, gets a new line and no control sequence."""
        assert erase_sequence(term, 80, "linux") == b"\n"

    @pytest.mark.parametrize("term", [None, "xterm"])
    def test_console(self, term: str | None) -> None:
        """A Windows console gets blanks, whatever the environment says, and is not made to wrap."""
        assert erase_sequence(term, 5, "win32") == b"\r    \r"
