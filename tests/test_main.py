"""Tests of `techboy.__main__`."""

from __future__ import annotations

import sys
from subprocess import DEVNULL

import pytest

from techboy import __version__
from techboy.__main__ import main
from tests.children import run

NOT_NAMED = "techboy: no program is named: expected python -m techboy romeo or python -m techboy juliet\n"


def ended(*words: str) -> int | str | None:
    """Return the status with which ``words`` end the process without a program."""
    with pytest.raises(SystemExit) as end:
        main(words, lambda: pytest.fail("a program was run"))
    return end.value.code


class MainTests:
    """`python -m techboy`."""

    @pytest.mark.parametrize(
        "words", [["romeo"], ["juliet", "--help"], ["--log-level", "debug", "romeo"], ["--help", "juliet"]]
    )
    def test_program(self, words: list[str]) -> None:
        """What names a program is for `twist`, with the options before and after it."""
        runs: list[str] = []
        main(words, lambda: runs.append("twist"))
        assert runs == ["twist"]

    @pytest.mark.parametrize("words", [[], ["nurse"], ["--log-level", "debug"], ["\x1b[2J\n"]])
    def test_no_program(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """Without a program it says in one line how one is named."""
        assert ended(*words) == 64
        assert capsys.readouterr() == ("", NOT_NAMED)

    @pytest.mark.parametrize("word", ["-h", "--help"])
    def test_help(self, word: str, capsys: pytest.CaptureFixture[str]) -> None:
        """It can be asked how it is used."""
        assert ended(word) == 0
        said = capsys.readouterr()
        assert said.out.startswith("Usage: python -m techboy [options of twist] romeo|juliet [options]\n")
        assert said.err == ""

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        """It can be asked for its version."""
        assert ended("--version") == 0
        assert capsys.readouterr() == (f"techboy {__version__}\n", "")


class WaysInTests:
    """The ways to start a program are equal."""

    @pytest.mark.parametrize("program", ["romeo", "juliet"])
    def test_help(self, program: str) -> None:
        """What a program can be told is the same by either, and the first line names the way used."""
        said = [self.said(module, program, "--help") for module in ("techboy", "twisted")]
        for module, (status, text, errors) in zip(("techboy", "twisted"), said, strict=True):
            assert (status, errors) == (0, "")
            assert f" -m {module} [options] " in text.partition("\n")[0]
        assert len({text.partition("\n")[2] for _, text, _ in said}) == 1

    @pytest.mark.parametrize("module", ["techboy", "twisted"])
    def test_mistake(self, module: str) -> None:
        """What is wrong is said in one line that names the way that was used."""
        why = "juliet: unknown option --nosuch"
        assert self.said(module, "juliet", "--nosuch") == (
            64,
            "",
            f"{why} (see python -m {module} juliet --help)\n",
        )

    def said(self, module: str, *words: str) -> tuple[int, str, str]:
        """Return the exit status of ``python -m module``, and what it says on both streams."""
        command = [sys.executable, "-m", module, *words]
        done = run(command, stdin=DEVNULL, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr
