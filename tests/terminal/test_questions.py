"""Tests of asking a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from techboy import exit_status
from techboy.terminal.questions import ask
from tests.terminal.fakes import Interrupted, Typed, at_terminal, written


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[TextIO]:
    """Give a file that is what a person sees."""
    with open(tmp_path / "screen", "w") as file:
        yield file


class AskTests:
    """A question is put until it is answered."""

    def test_answer(self, screen: TextIO) -> None:
        """The answer is taken, without the blanks around it."""
        assert ask(at_terminal(Typed(" 7 \n"), screen), "How many? ", 1, int) == 7
        assert written(screen) == "How many? "

    @pytest.mark.parametrize("line", ["\n", "  \n"])
    def test_default(self, screen: TextIO, line: str) -> None:
        """Enter takes the default."""
        assert ask(at_terminal(Typed(line), screen), "How many? ", 1, int) == 1

    def test_last_line(self, screen: TextIO) -> None:
        """An answer at the end of the input counts although it is not ended."""
        assert ask(at_terminal(Typed("7"), screen), "How many? ", 1, int) == 7

    def test_refused(self, screen: TextIO) -> None:
        """A wrong answer is refused with the reason, and the question is put again."""

        def read(text: str) -> int:
            if text == "many":
                raise ValueError("many is no number")
            return int(text)

        assert ask(at_terminal(Typed("many\n7\n8\n"), screen), "How many? ", 1, read) == 7
        assert written(screen) == "How many? many is no number\nHow many? "

    @pytest.mark.parametrize("stdin", [Typed, Interrupted], ids=["end of input", "Ctrl-C"])
    def test_no_answer(self, screen: TextIO, stdin: type[Typed]) -> None:
        """Who does not want to answer leaves, which is no error, and ends the line."""
        with pytest.raises(SystemExit) as ended:
            ask(at_terminal(stdin(), screen), "How many? ", 1, int)
        assert ended.value.code == exit_status.OK
        assert written(screen) == "How many? \n"
