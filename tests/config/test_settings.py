"""Tests of `techboy.config.settings`."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.config.settings import (
    LONGEST_FILE,
    ConfigError,
    Kind,
    Layer,
    Setting,
    from_environment,
    from_file,
    merged,
    one_line,
    refuse_both,
)
from techboy.wire.sanitize import sanitize_line
from tests.marks import needs_named_pipes, needs_posix_terminal

KINDS = {"port": Kind.TEXT, "max-line": Kind.TEXT, "once": Kind.FLAG, "listen": Kind.LIST}
SIDES = [frozenset({"host", "port"}), frozenset({"listen"})]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a file that is not there yet."""
    return tmp_path / "techboy.toml"


def said(path: Path, text: str | bytes) -> Layer:
    """Return what a file of that content says to Romeo."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return from_file(str(path), "romeo", KINDS)


def layer(**values: str) -> Layer:
    """Return a layer that says ``values``."""
    return {name: Setting(f"where {name} is", (value,)) for name, value in values.items()}


class SettingTests:
    """`Setting`."""

    def test_words(self) -> None:
        """It says the same as words of a command line would, whatever its text begins with."""
        assert Setting("", ("-1",)).words("port") == ["--port=-1"]
        assert Setting("", ("a", "b")).words("listen") == ["--listen=a", "--listen=b"]
        assert Setting("", on=True).words("once") == ["--once"]
        assert Setting("").words("once") == []


class EnvironmentTests:
    """What variables say."""

    def test_taken(self) -> None:
        """A variable is named as the option, a list is split at blanks, and it is known where it was said."""
        environ = {"TECHBOY_ROMEO_MAX_LINE": "80", "TECHBOY_ROMEO_LISTEN": " tcp:1  unix:x "}
        assert from_environment("romeo", KINDS, environ) == {
            "max-line": Setting("$TECHBOY_ROMEO_MAX_LINE", ("80",)),
            "listen": Setting("$TECHBOY_ROMEO_LISTEN", ("tcp:1", "unix:x")),
        }

    @pytest.mark.parametrize("text", ["yes", "true", "1", "on", "YES", "no", "false", "0", "off", "Off"])
    def test_flag(self, text: str) -> None:
        """A flag is said in any of the usual ways."""
        setting = from_environment("romeo", KINDS, {"TECHBOY_ROMEO_ONCE": text})["once"]
        assert setting.on is (text.lower() in ("yes", "true", "1", "on"))

    def test_of_others(self) -> None:
        """What is not said to this program is left alone."""
        environ = {"TECHBOY_JULIET_PORT": "1", "TECHBOY_ROMEO": "x", "ROMEO_PORT": "1", "PORT": "1"}
        assert from_environment("romeo", KINDS, environ) == {}

    @pytest.mark.parametrize(
        ("variable", "text", "why"),
        [
            ("PROT", "1", "unknown option"),
            ("port", "1", "unknown option"),
            ("MAX-LINE", "1", "unknown option"),
            ("CHECK", "yes", "unknown option"),
            ("", "", "unknown option"),
            ("ONCE", "", "invalid value '': expected yes or no"),
            ("ONCE", "maybe", "invalid value 'maybe': expected yes or no"),
            ("LISTEN", " ", "invalid value []: expected a list of strings"),
        ],
    )
    def test_refused(self, variable: str, text: str, why: str) -> None:
        """A variable that is no option, or has no meaning, is refused by its name."""
        with pytest.raises(ConfigError) as refused:
            from_environment("romeo", KINDS, {f"TECHBOY_ROMEO_{variable}": text})
        assert str(refused.value) == f"$TECHBOY_ROMEO_{variable}: {why}"


class FileTests:
    """What a file says."""

    def test_taken(self, path: Path) -> None:
        """Numbers and texts are as good as each other; where each was said is known."""
        text = 'romeo.max-line = "80"\n[juliet]\nsonnet = 18\n'
        assert said(path, text) == {"max-line": Setting(f"{path}: [romeo] max-line", ("80",))}
        text = '[romeo]\nport = 0\nmax-line = 1e2\nonce = true\nlisten = ["tcp:1", "unix:x"]\n'
        assert {name: setting.words(name) for name, setting in said(path, text).items()} == {
            "port": ["--port=0"],
            "max-line": ["--max-line=100.0"],
            "once": ["--once"],
            "listen": ["--listen=tcp:1", "--listen=unix:x"],
        }

    @pytest.mark.parametrize(
        "text", ["", "# nothing\n", "[romeo]\n", "[juliet]\n", "[romeo]\r\n[juliet]\r\n"]
    )
    def test_nothing(self, path: Path, text: str) -> None:
        """A file need not say anything."""
        assert said(path, text) == {}

    @pytest.mark.parametrize("text", ["true", '"yes"', "1", '"ON"'])
    def test_flag(self, path: Path, text: str) -> None:
        """A flag is true, or said as in the environment."""
        assert said(path, f"[romeo]\nonce = {text}\n")["once"].on
        assert not said(path, "[romeo]\nonce = false\n")["once"].on

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("port = 1", "port: expected in a table, [romeo] or [juliet]"),
            ("romeo = 1", "romeo: expected a table"),
            ("[[juliet]]", "juliet: expected a table"),
            ("[benvolio]\nport = 1", "unknown table [benvolio]: expected [romeo] or [juliet]"),
            ("[romeo]\nsonnet = 18", "[romeo] sonnet: unknown option"),
            ("[romeo]\nmax_line = 80", "[romeo] max_line: unknown option"),
            ("[romeo]\ncheck = true", "[romeo] check: unknown option"),
            ("[romeo]\nport.x = 1", "[romeo] port: invalid value {'x': 1}: expected a string or a number"),
            ("[romeo]\nport = true", "[romeo] port: invalid value True: expected a string or a number"),
            ("[romeo]\nport = [1]", "[romeo] port: invalid value [1]: expected a string or a number"),
            (
                "[romeo]\nport = 1979-05-27",
                "[romeo] port: invalid value datetime.date(1979, 5, 27): expected a string or a number",
            ),
            (
                '[romeo]\nport = "a\\u0000"',
                "[romeo] port: invalid value 'a\\x00': expected a string without the character NUL",
            ),
            ("[romeo]\nonce = 2", "[romeo] once: invalid value '2': expected yes or no"),
            ("[romeo]\nonce = []", "[romeo] once: invalid value []: expected a string or a number"),
            (
                '[romeo]\nlisten = "tcp:1"',
                "[romeo] listen: invalid value 'tcp:1': expected a list of strings",
            ),
            ("[romeo]\nlisten = []", "[romeo] listen: invalid value []: expected a list of strings"),
            ("[romeo]\nlisten = [[]]", "[romeo] listen: invalid value []: expected a string or a number"),
        ],
    )
    def test_refused(self, path: Path, text: str, why: str) -> None:
        """What has no meaning is refused by its name."""
        with pytest.raises(ConfigError) as refused:
            said(path, text)
        assert str(refused.value) == f"{path}: {why}"

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("[romeo]\nport =\n", "(at line 2, column 7)"),
            ("[romeo]\nport = 1\nport = 2\n", "(at line 3, column 9)"),
            ("[romeo", "(at end of document)"),
            (b"[romeo]\nname = '\xff'\n", "can't decode byte 0xff in position 16"),
            ("a = " + "[" * LONGEST_FILE, f"the file is longer than {LONGEST_FILE} bytes"),
            ("a = " + "[" * (LONGEST_FILE - 100), "recursion"),
            ("a = " + "1" * 5000, "5000 digits"),
        ],
    )
    def test_broken(self, path: Path, text: str | bytes, why: str) -> None:
        """Of a file that is no TOML it is said where, or why not."""
        with pytest.raises(ConfigError) as refused:
            said(path, text)
        assert str(refused.value).startswith(f"{path}: ")
        assert why in str(refused.value)

    def test_missing(self, path: Path) -> None:
        """A file that can't be read is refused, and it is said why."""
        with pytest.raises(ConfigError, match=r"techboy\.toml: No such file or directory$"):
            from_file(str(path), "romeo", KINDS)
        with pytest.raises(ConfigError, match=r": (Is a directory|Permission denied)$"):
            from_file(str(path.parent), "romeo", KINDS)

    def test_byte_order_mark(self, path: Path) -> None:
        """What some editors write before the first line is no part of it."""
        assert said(path, b"\xef\xbb\xbf[romeo]\nport = 5\n") == said(path, "[romeo]\nport = 5\n")

    @needs_named_pipes
    def test_pipe(self, tmp_path: Path) -> None:
        """A pipe is refused at once: there may never be anything in it."""
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ConfigError, match=r"pipe: expected a regular file$"):
            from_file(str(tmp_path / "pipe"), "romeo", KINDS)

    @needs_posix_terminal
    def test_terminal(self) -> None:
        """So is a terminal, where somebody would have to type."""
        keyboard, device = os.openpty()
        try:
            with pytest.raises(ConfigError, match=r": expected a regular file$"):
                from_file(os.ttyname(device), "romeo", KINDS)
        finally:
            os.close(keyboard)
            os.close(device)

    def test_null(self) -> None:
        """The null device is an empty file."""
        assert from_file(os.devnull, "romeo", KINDS) == {}

    @given(st.text(alphabet=st.characters(exclude_categories=["C"])))
    def test_any_text(self, text: str) -> None:
        """Any text that can be printed comes out as it was written."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "techboy.toml")
            [setting] = said(path, f"[romeo]\nport = {json.dumps(text, ensure_ascii=False)}\n").values()
        assert setting.texts == (text,)

    @given(st.binary() | st.text().map(lambda text: f"[romeo]\n{text}".encode("utf-8", "replace")))
    def test_anything(self, data: bytes) -> None:
        """Whatever is in a file, either it has a meaning or it is refused."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "techboy.toml")
            with suppress(ConfigError):
                assert said(path, data).keys() <= KINDS.keys()


class RefuseBothTests:
    """What is one choice is not made twice in one place."""

    def test_refused(self) -> None:
        """Both sides are named, and where that is."""
        with pytest.raises(ConfigError, match=r"^where listen is: cannot be combined with host or port$"):
            refuse_both(layer(listen="a", port="1", host="b", name="c"), SIDES)
        with pytest.raises(ConfigError, match=r"^where listen is: cannot be combined with port$"):
            refuse_both(layer(listen="a", port="1"), SIDES)

    @pytest.mark.parametrize("names", [["host", "port"], ["listen"], ["name"], []])
    def test_taken(self, names: list[str]) -> None:
        """One side, or none, is well."""
        refuse_both(layer(**dict.fromkeys(names, "x")), SIDES)


class MergedTests:
    """What holds where several layers speak."""

    @given(
        st.sets(st.sampled_from("abcd")),
        st.lists(st.dictionaries(st.sampled_from("abcd"), st.text(max_size=2)), max_size=3),
    )
    def test_highest(self, said: set[str], layers: list[dict[str, str]]) -> None:
        """For each option the highest that says something holds, and the command line is above all."""
        held = merged(said, [layer(**values) for values in layers], [])
        for name in "abcd":
            saying = [values[name] for values in layers if name in values]
            expected = () if name in said else tuple(saying[:1])
            assert (held[name].texts if name in held else ()) == expected

    @pytest.mark.parametrize(
        ("said", "layers", "held"),
        [
            ({"port"}, [layer(listen="a")], {}),
            ({"port"}, [layer(host="a", port="b")], {"host": "a"}),
            ({"port"}, [layer(listen="a"), layer(host="b")], {"host": "b"}),
            ({"listen"}, [layer(host="a", port="b", name="c")], {"name": "c"}),
            ({"name"}, [layer(listen="a"), layer(host="b", port="c")], {"listen": "a"}),
            (set(), [layer(host="a"), layer(listen="b")], {"host": "a"}),
            (set(), [layer(host="a"), layer(port="b")], {"host": "a", "port": "b"}),
            (set(), [layer(), layer(listen="b")], {"listen": "b"}),
        ],
    )
    def test_one_choice(self, said: set[str], layers: list[Layer], held: dict[str, str]) -> None:
        """Who says one side of a choice need not unsay the other, which was said further below."""
        assert {name: setting.texts[0] for name, setting in merged(said, layers, SIDES).items()} == held


class OneLineTests:
    """What is said about a mistake can be shown."""

    @given(st.text() | st.text().map(lambda text: text * 50))
    def test_safe(self, text: str) -> None:
        """It is one line, of a length that can be read, without anything unsafe."""
        line = one_line(text)
        assert line == sanitize_line(line)
        assert len(line) <= 401

    def test_both_ends(self) -> None:
        """What is too long keeps its beginning, and its end, where the position is."""
        line = one_line("/etc/techboy.toml: " + "x" * 1000 + " (at line 3, column 9)")
        assert line.startswith("/etc/techboy.toml: xxx")
        assert line.endswith("xxx (at line 3, column 9)")
        assert "x…x" in line
