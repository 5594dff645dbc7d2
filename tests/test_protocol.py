"""The norm of the native dialect, ``docs/protocol.rst``, and what is made sure of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from techboy.wire.frames import InvalidFrame, Welcome
from techboy.wire.native import encode, is_hello, read_client, read_server

ROOT = Path(__file__).parent.parent
NORM = (ROOT / "docs" / "protocol.rst").read_text(encoding="utf-8")
PROMISES = re.findall(r"(?<!`)\[(P\d+)\]", NORM)
EXAMPLE = re.findall(r"^    ([CS]) (\{.*\})$", NORM, re.MULTILINE)


def docstrings() -> Iterator[str]:
    """Return what all tests say of themselves."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield ast.get_docstring(node) or ""


class PromiseTests:
    """What is promised."""

    def test_numbers(self) -> None:
        """Each promise has a number of its own."""
        for number, promise in enumerate(PROMISES, 1):
            assert promise == f"P{number}"
        assert len(PROMISES) > 10

    def test_named(self) -> None:
        """Each is named by a test, and no test names one that there is not."""
        named = {name for docstring in docstrings() for name in re.findall(r"\[(P\d+)\]", docstring)}
        assert named == set(PROMISES)


class ExampleTests:
    """The conversation that is shown."""

    def test_there(self) -> None:
        """It begins with a hello, which is answered by a welcome."""
        (client, hello), (server, welcome) = EXAMPLE[:2]
        assert (client, server) == ("C", "S")
        assert is_hello(hello.encode())
        assert isinstance(read_server(welcome.encode()), Welcome)

    @pytest.mark.parametrize(("who", "line"), [pair for pair in EXAMPLE if "dance" not in pair[1]])
    def test_frame(self, who: str, line: str) -> None:
        """Each frame of it is written as the programs write it."""
        frame = (read_client if who == "C" else read_server)(line.encode())
        assert not isinstance(frame, InvalidFrame)
        assert encode(frame).decode() == f"{line}\n"

    def test_unknown(self) -> None:
        """What is answered to a frame that nobody knows is what is shown."""
        place = EXAMPLE.index(("C", '{"type": "dance"}'))
        answer = encode(read_client(EXAMPLE[place][1].encode())).decode()
        assert answer == f"{EXAMPLE[place + 1][1]}\n"
