"""What every module promises: to be imported where there is no POSIX, and to leave the reactor to choose."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import techboy

POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
REACTOR = "twisted.internet.reactor"
HOUSE = Path(techboy.__file__).parent
MODULES = sorted(HOUSE.rglob("*.py"))


def imported(nodes: list[ast.stmt]) -> Iterator[str]:
    """Return what is imported when a module is, by its whole name; not what only a function imports."""
    for node in nodes:
        match node:
            case ast.Import():
                yield from (name.name for name in node.names)
            case ast.ImportFrom():
                yield str(node.module)
                yield from (f"{node.module}.{name.name}" for name in node.names)
            case ast.If(test=ast.Name("TYPE_CHECKING")) | ast.FunctionDef() | ast.AsyncFunctionDef():
                pass
            case _:
                for field in ("body", "orelse", "finalbody", "handlers"):
                    yield from imported(getattr(node, field, []))


class ImportTests:
    """What comes with each module of the program."""

    @pytest.mark.parametrize("module", MODULES, ids=[str(path.relative_to(HOUSE)) for path in MODULES])
    def test_module(self, module: Path) -> None:
        """Importing it needs no POSIX, as a Windows console has none, and installs no reactor."""
        names = set(imported(ast.parse(module.read_text()).body))
        assert not names & (POSIX_ONLY | {REACTOR})

    def test_found(self) -> None:
        """An import is found wherever in a module it is done at once, and nowhere else."""
        text = (
            "import tty\ntry:\n    from pwd import x\nexcept E:\n    import pty\ndef f():\n    import grp\n"
        )
        assert set(imported(ast.parse(text).body)) == {"tty", "pwd", "pwd.x", "pty"}
