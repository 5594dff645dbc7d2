"""Every command of docs/deploying.rst, in the order in which it stands there.

In a literal block a line that begins with ``#`` or ``$`` and a blank is a command, and has to succeed. What
follows up to the next command is what it writes, among other things: each line has to come, in that order,
and ``…`` is whatever is there. A line that begins with the host's prompt is typed at it, at a terminal.
`tests.functional.machines` says what is real about the machine on which this happens.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.children import run
from tests.functional.machines import SHOWN, Machine
from tests.functional.programs import NULL, wait_until
from tests.functional.units import CHECKOUT

PAGE = CHECKOUT / "docs" / "deploying.rst"
SECTIONS = {"system": "As a system service", "user": "As a user's service"}
PROMPTS = {"system": "#$", "user": "$"}
"""Who types the commands of a section: root and others, or others alone."""

_INDENT = "    "


@dataclass
class Command:
    """A command of the page, on its ``line`` there; what is typed then, and what it is to write."""

    line: int
    prompt: str
    text: str
    typed: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def run(self, machine: Machine) -> None:
        """Run it, and see that it does what the page says."""
        print(f"{PAGE.name}:{self.line}: {self.prompt} {self.text}")
        if self.typed:
            machine.run_at_terminal(self.text, self.typed)
            return
        if self.text.startswith("journalctl "):  # who looks too early looks again
            wait_until(lambda: self._missing(machine, machine.run(self.text)) is None)
            return
        written = machine.run(self.text)
        missing = self._missing(machine, written)
        assert missing is None, f"{PAGE.name}:{self.line}: {missing!r} is not in\n{written}"

    def _missing(self, machine: Machine, written: str) -> str | None:
        """Return the first line that is not in ``written`` after those before it; None if all are."""
        print(written)
        for expected in self.written:
            found = re.search(_pattern(machine.here(expected)), written, re.MULTILINE)
            if found is None:
                return expected
            written = written[found.end() :]
        return None


def _pattern(line: str) -> str:
    """Return what matches ``line`` as a whole, and for a line of nothing but ``…`` anything."""
    return "" if line == "…" else f"^{'.*'.join(map(re.escape, line.split('…')))}$"


def commands(page: str) -> dict[str, list[Command]]:
    """Return the commands of ``page`` by the sections that they are in."""
    section, command = "", None
    found: dict[str, list[Command]] = {}
    lines = page.splitlines()
    for number, (line, following) in enumerate(zip(lines, [*lines[1:], ""], strict=True), 1):
        if following and set(following) == {"-"}:
            section = line
        words = line.removeprefix(_INDENT)
        if words == line or not words.strip():
            command = None if line.strip() else command
        elif words[:2] in ("# ", "$ "):
            command = Command(number, words[0], words[2:])
            found.setdefault(section, []).append(command)
        elif command is not None and words.startswith(SHOWN) and "juliet --socket" in command.text:
            command.typed.append(words.removeprefix(SHOWN))
        elif command is not None:
            command.written.append(words)
    return found


@pytest.fixture(scope="module")
def index() -> None:
    """Skip where pip can't get what it needs to build something; not where everything has to be tested."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-cache-dir",
        "setuptools",
    ]
    with TemporaryDirectory() as folder:
        tried = run([*command, "--dest", folder], stdin=NULL, capture_output=True, check=False)
    if tried.returncode and os.environ.get("CI") != "true":
        pytest.skip("there is no package index")


class DeployingTests:
    """Whoever does what the page says, has what it says."""

    @pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
    @pytest.mark.usefixtures("index")
    @pytest.mark.parametrize("kind", SECTIONS)
    def test_commands(self, root: Path, kind: str) -> None:
        """Every command of a section succeeds, and writes what it is to write."""
        with Machine(root, kind) as machine:
            for command in commands(PAGE.read_text())[SECTIONS[kind]]:
                assert command.prompt in PROMPTS[kind]
                command.run(machine)

    def test_all(self) -> None:
        """There are no commands elsewhere on the page, and enough in each section."""
        found = commands(PAGE.read_text())
        assert set(found) == set(SECTIONS.values())
        assert min(map(len, found.values())) > 10


class PageTests:
    """How the page is read."""

    PAGE = """
First
-----

Text with ``# no command``::

    # one
    a … b
    …

    # two juliet --socket
    romeo: hello
    romeo: exit

    no command, and not what one writes, as

it ends the block::

    romeo: nothing

Second
------
::

    $ three
"""

    def test_commands(self) -> None:
        """Commands are found with what is typed and written, by sections."""
        found = commands(self.PAGE)
        one, two = found["First"]
        assert one == Command(7, "#", "one", written=["a … b", "…"])
        assert (two.text, two.typed) == ("two juliet --socket", ["hello", "exit"])
        assert two.written == ["no command, and not what one writes, as"]
        assert [(command.prompt, command.text) for command in found["Second"]] == [("$", "three")]

    @pytest.mark.parametrize(
        ("line", "text", "matches"),
        [
            ("a … b", "a . b", True),
            ("a … b", "a b", False),
            ("a", "aa", False),
            ("…a", "b\nba\n", True),
            ("…", "", True),
        ],
    )
    def test_written(self, line: str, text: str, matches: bool) -> None:
        """A line is compared as a whole, but for what varies."""
        assert bool(re.search(_pattern(line), text, re.MULTILINE)) is matches
