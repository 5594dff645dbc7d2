"""A window of tmux, which wraps anew what is on its screen when it becomes narrower, as many terminals do."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.children import run
from tests.functional.programs import DEADLINE, NULL, Program, Programs

_ENDED = "ended with"
_END = re.compile(rf"^{_ENDED} ([0-9]+)$", re.MULTILINE)


class Window(Program):
    """A tmux server in the foreground, with one window in which a program runs."""

    def __init__(self, command: Sequence[str | Path], folder: Path, columns: int, rows: int) -> None:
        self._socket = folder / "tmux"
        super().__init__(self._tmux("-f", "/dev/null", "-D"), folder, NULL, NULL, NULL, term="screen")
        size = ["-x", str(columns), "-y", str(rows)]
        line = f"{shlex.join(map(str, command))}; echo {_ENDED} $?; exec cat"
        start = self._tmux("-N", "new-session", "-d", *size, line)
        self._until(lambda: run(start, stderr=NULL).returncode == 0)

    @property
    def rows(self) -> list[str]:
        """What is to be seen, without blank rows at the bottom."""
        return self._captured()

    @property
    def everything(self) -> list[str]:
        """All rows, those that have scrolled away too; what was wrapped is one row."""
        return self._captured("-S", "-", "-J")

    @property
    def said(self) -> list[str]:
        """All that was ever shown above the prompt, without the times; a line printed again comes again."""
        return [row[6:] for row in self.everything if re.match(r"\d\d:\d\d \w+:", row)]

    def writes(self, text: str) -> None:
        """Type ``text``."""
        self._do("send-keys", "-l", text)

    def resizes(self, columns: int, rows: int) -> None:
        """Change the size of the window."""
        self._do("resize-window", "-x", str(columns), "-y", str(rows))

    def until(self, condition: Callable[[list[str]], object]) -> None:
        """Wait until ``condition`` holds for what is to be seen."""
        self._until(lambda: condition(self.rows))

    def shows(self, text: str) -> None:
        """Wait until ``text`` is somewhere in a row."""
        self.until(lambda rows: any(text in row for row in rows))

    def ends(self) -> int:
        """Wait for the end of the program in the window, and return its exit status."""
        self.until(lambda rows: _END.search("\n".join(rows)))
        found = _END.search("\n".join(self.rows))
        assert found is not None
        return int(found[1])

    def _until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, "\n".join(self._captured())
            time.sleep(0.02)  # tmux does not say when a pane has changed

    def _captured(self, *options: str) -> list[str]:
        return self._do("capture-pane", "-p", *options).rstrip("\n").split("\n")

    def _do(self, *command: str) -> str:
        done = run(self._tmux(*command), capture_output=True, text=True, check=True)
        return str(done.stdout)

    def _tmux(self, *words: str) -> list[str]:
        return ["tmux", "-u", "-S", str(self._socket), *words]


class Tmux(Programs):
    """Programs, of which some are in windows of tmux."""

    def in_window(self, *command: str | Path, columns: int, rows: int) -> Window:
        """Start any program in a window of that size."""
        window = Window(command, self.folder, columns, rows)
        self._started.callback(window.close)
        return window
