"""Tests of the command line that Romeo and Juliet have in common."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import pytest
from twisted.logger import LogLevel, capturedLogs, jsonFileLogObserver, textFileLogObserver
from twisted.python.reflect import accumulateClassList
from twisted.python.usage import Options, UsageError

import techboy
import twisted
from techboy import juliet, romeo
from techboy.config import endpoints
from techboy.config import reactor as reactors
from techboy.config.options import (
    ConversationOptions,
    command_name,
    option_type,
    redirect_log,
)
from techboy.config.values import DAY, port_number
from techboy.net.addresses import LONGEST_PATH
from techboy.terminal.streams import StandardStream, Streams
from tests.terminal.fakes import Typed, at_terminal, on_terminal, written

BOTH = pytest.mark.parametrize("program", [romeo.Options, juliet.Options], ids=["romeo", "juliet"])


@pytest.fixture(autouse=True)
def no_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be said by the environment, on a system that has all."""
    monkeypatch.setattr(ConversationOptions, "platform", "linux")
    for variable in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[TextIO]:
    """Give a file that is what a person sees."""
    with open(tmp_path / "screen", "w") as file:
        yield file


@pytest.fixture
def file(tmp_path: Path) -> Iterator[TextIO]:
    """Give a file, which is no terminal."""
    with open(tmp_path / "file", "w") as file:
        yield file


def parsed(
    program: type[ConversationOptions], *words: str, streams: Streams | None = None
) -> ConversationOptions:
    """Return the options that ``words`` make; without ``streams``, all three are closed."""
    options = program()
    options.streams = lambda: streams or Streams(None, None, None)
    options.parseOptions(words)
    return options


def on_windows(program: type[ConversationOptions]) -> type[ConversationOptions]:
    """Return the options of ``program`` as they are on Windows."""
    return type("Options", (program,), {"platform": "win32"})


def mistake(
    program: type[ConversationOptions],
    *words: str,
    capsys: pytest.CaptureFixture[str],
    streams: Streams | None = None,
    status: int = 64,
) -> str:
    """Return what the program that ends because of ``words``, or with another ``status``, says."""
    with pytest.raises(SystemExit) as ended:
        parsed(program, *words, streams=streams)
    assert ended.value.code == status
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def twist_options(**given: object) -> Options:
    """Return what twist was told, standard output being no terminal."""
    options = Options()
    options["logFile"] = sys.stdout
    options["logLevel"] = LogLevel.info
    options["fileLogObserverFactory"] = jsonFileLogObserver
    options.update(given)
    return options


def logged(twist: Options, file: TextIO) -> str:
    """Return what is in ``file`` after a line was written to twist's log."""
    twist["logFile"].write("a line\n")
    assert twist["logFile"].settle(5)
    return written(file)


class WayInTests:
    """The command by which `twist` is run."""

    @pytest.mark.parametrize(
        ("path", "command"),
        [
            ("/usr/bin/twist", "twist"),
            (f"{Path(techboy.__file__).with_name('__main__.py')}", "python -m techboy"),
            (f"{Path(twisted.__file__).with_name('__main__.py')}", "python -m twisted"),
            (f"{Path(pytest.__file__).with_name('__main__.py')}", "twist"),
            ("-c", "twist"),
            ("", "twist"),
        ],
    )
    def test_way_in(self, path: str, command: str) -> None:
        assert command_name(path) == command


class OptionTests:
    """A mistake names its option."""

    def test_taken(self) -> None:
        assert option_type("answer", int)("42") == 42

    def test_refused(self) -> None:
        """What can't be read is refused under the option's name."""
        with pytest.raises(UsageError, match=r"^--port: invalid port 'x': expected 0-65535$"):
            option_type("port", port_number)("x")


class ConversationOptionsTests:
    """What both programs can be told."""

    @BOTH
    def test_defaults(self, program: type[ConversationOptions]) -> None:
        """Nothing has to be said."""
        options = parsed(program)
        assert (options["max-line"], options["output"], options["port"]) == (4096, "auto", 4444)
        assert (options["state"], options["ping-interval"], options["ping-timeout"]) == (None, 25.0, 60.0)
        names = ["transcript", "config", "socket", "prompted"]
        assert [options[name] for name in names] == [None, None, None, False]

    @BOTH
    def test_once(self, program: type[ConversationOptions]) -> None:
        """No option is described twice."""
        parameters: list[list[Any]] = []
        for kind in ("optParameters", "optFlags"):
            accumulateClassList(program, kind, parameters)
        names = [name for name, *_ in parameters]
        assert sorted(names) == sorted(set(names))

    def test_base(self) -> None:
        """By itself it is a program that asks nothing, and shows what is said."""
        options = parsed(ConversationOptions, streams=Streams(Typed(), None, None))
        assert options["shown"]

    @BOTH
    def test_given(self, program: type[ConversationOptions]) -> None:
        """What is said holds."""
        options = parsed(program, "--max-line", "64", "--output", "json", "--name=rosaline", "-p", "13005")
        assert (options["max-line"], options["output"]) == (64, "json")
        assert (options["name"], options["port"]) == ("rosaline", 13005)
        options = parsed(
            program, "--state", "a/b", "--ping-interval", "0.5", "--ping-timeout=2", "--transcript", "c/d"
        )
        assert (options["state"], options["ping-interval"], options["ping-timeout"]) == ("a/b", 0.5, 2.0)
        assert options["transcript"] == "c/d"

    @BOTH
    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["--max-line", "63"], "--max-line: invalid number '63': expected 64-65536"),
            (["--max-line=65537"], "--max-line: invalid number '65537': expected 64-65536"),
            (["--output", "xml"], "--output: invalid format 'xml': expected auto, names, bare or json"),
            (
                ["--ping-interval", "9", "--ping-timeout", "9"],
                "--ping-interval must be less than --ping-timeout",
            ),
            (["--state", ""], "--state: invalid directory '': expected a path"),
            (["--transcript", ""], "--transcript: invalid file name '': expected a path"),
            (["--config", ""], "--config: invalid file name '': expected a path"),
            (["--ping-interval", "0"], "--ping-interval: invalid duration '0': expected 0.001s to 36500d"),
            (
                ["--ping-timeout", "inf"],
                "--ping-timeout: invalid duration 'inf': expected for example 30s, 10m, 12h or 7d",
            ),
            (["--sonnet"], "unknown option --sonnet"),
            (["--port"], "--port requires a value"),
            (["--state"], "--state requires a value"),
            (["--check=yes"], "--check takes no value"),
            (["--ping", "9"], "ambiguous option --ping"),
            (["-x"], "unknown option -x"),
            (["verona"], "unexpected argument 'verona'"),
        ],
    )
    def test_mistake(
        self,
        program: type[ConversationOptions],
        words: list[str],
        why: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A mistake is answered with one line that says what it is and where help is."""
        name = program.program
        assert mistake(program, *words, capsys=capsys) == f"{name}: {why} (see twist {name} --help)\n"

    @BOTH
    def test_name(self, program: type[ConversationOptions], capsys: pytest.CaptureFixture[str]) -> None:
        """What can't be a name is refused as one."""
        said = mistake(program, "--name", "a b", capsys=capsys)
        assert said.startswith(f"{program.program}: --name: invalid name 'a b': expected 1-32 letters")
        assert "'a b'" in said

    @BOTH
    def test_version(self, program: type[ConversationOptions], capsys: pytest.CaptureFixture[str]) -> None:
        """The version shown is this program's, not Twisted's."""
        with pytest.raises(SystemExit) as ended:
            parsed(program, "--version")
        assert ended.value.code == 0
        assert capsys.readouterr().out == f"techboy {techboy.__version__}\n"

    @pytest.mark.parametrize("term", ["xterm", ""])
    def test_terminal_type(self, monkeypatch: pytest.MonkeyPatch, term: str) -> None:
        """The terminal's type is taken from the environment."""
        monkeypatch.setenv("TERM", term)
        assert parsed(romeo.Options).terminal_type == term

    def test_no_terminal_type(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the environment has none, none is known."""
        monkeypatch.delenv("TERM", raising=False)
        assert parsed(romeo.Options).terminal_type is None

    @BOTH
    def test_log_apart(self, program: type[ConversationOptions], file: TextIO) -> None:
        """Twist's log does not get between what is said on standard output."""
        options = program()
        options.parent = twist_options()
        options.streams = lambda: Streams(None, file, None)
        options.parseOptions(["--output", "bare"])
        assert isinstance(options.parent["logFile"], StandardStream)
        assert options["log"] is options.parent["logFile"]

    @BOTH
    def test_log_file(self, program: type[ConversationOptions], file: TextIO, tmp_path: Path) -> None:
        """A log file is one that can be opened again."""
        options = program()
        options.parent = twist_options(logFile=file)
        options.streams = lambda: Streams(None, None, None)
        options.parseOptions(["--host", "127.0.0.1"])
        assert options["log-file"] is options.parent["logFile"]
        assert options["log"] is options["log-file"]
        options["log-file"].write("a line\n")
        assert options["log-file"].settle(5)
        options["log-file"].close()
        assert (tmp_path / "file").read_text() == "a line\n"

    @BOTH
    def test_no_log_file(self, program: type[ConversationOptions]) -> None:
        """Where the log goes to standard output there is nothing to open again."""
        assert parsed(program)["log-file"] is None

    def test_log_file_gone(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A log file that is gone by then ends the program with one line."""
        options = romeo.Options()
        (tmp_path / "folder").mkdir()
        with open(tmp_path / "folder" / "log", "w") as log:
            (tmp_path / "folder").rename(tmp_path / "moved")
            options.parent = twist_options(logFile=log)
            options.streams = lambda: Streams(None, None, None)
            with pytest.raises(SystemExit) as ended:
                options.parseOptions([])
        assert ended.value.code == 74
        assert capsys.readouterr().err == "romeo: the log file: No such file or directory\n"

    @BOTH
    def test_transcript(self, program: type[ConversationOptions], capsys: pytest.CaptureFixture[str]) -> None:
        """A transcript is a file, and there is none unless it is asked for."""
        assert parsed(program)["transcript"] is None
        assert parsed(program, "--transcript", "said")["transcript"] == "said"
        refusal = mistake(program, "--transcript", "", capsys=capsys)
        assert "--transcript: invalid file name '': expected a path" in refusal


class ConfigurationTests:
    """What is said by the environment and in a file."""

    @BOTH
    def test_precedence(
        self, program: type[ConversationOptions], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The command line is above the environment, and that is above the file."""
        path = tmp_path / "techboy.toml"
        path.write_text(f"[{program.program}]\nmax-line = 64\nping-timeout = 10\nname = 'in-file'\n")
        monkeypatch.setenv(f"TECHBOY_{program.program.upper()}_MAX_LINE", "65")
        monkeypatch.setenv(f"TECHBOY_{program.program.upper()}_PING_TIMEOUT", "11.5")
        options = parsed(program, "--config", str(path), "--max-line", "66")
        assert (options["max-line"], options["ping-timeout"], options["name"]) == (66, 11.5, "in-file")
        assert options["config"] == str(path)

    @BOTH
    def test_named_by_environment(
        self, program: type[ConversationOptions], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The environment may say which file it is, unless the command line does."""
        for name in ("one", "other"):
            (tmp_path / name).write_text(f"[{program.program}]\nname = '{name}'\n")
        monkeypatch.setenv(f"TECHBOY_{program.program.upper()}_CONFIG", str(tmp_path / "one"))
        options = parsed(program)
        assert (options["name"], options["config"]) == ("one", str(tmp_path / "one"))
        options = parsed(program, "--config", str(tmp_path / "other"))
        assert (options["name"], options["config"]) == ("other", str(tmp_path / "other"))

    @BOTH
    def test_durations(
        self, program: type[ConversationOptions], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A duration has a unit in the file and in the environment too."""
        path = tmp_path / "techboy.toml"
        path.write_text(f"[{program.program}]\nping-interval = '1.5m'\n")
        monkeypatch.setenv(f"TECHBOY_{program.program.upper()}_PING_TIMEOUT", "1h")
        options = parsed(program, "--config", str(path))
        assert (options["ping-interval"], options["ping-timeout"]) == (90.0, 3600.0)

    def test_flag_unsaid(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """What the file switches on, the environment can switch off."""
        path = tmp_path / "techboy.toml"
        path.write_text("[romeo]\nonce = true\n")
        assert parsed(romeo.Options, "--config", str(path))["once"]
        monkeypatch.setenv("TECHBOY_ROMEO_ONCE", "no")
        assert not parsed(romeo.Options, "--config", str(path))["once"]

    def test_where_to_listen(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Where to listen is one choice: host and port above are not disturbed by endpoints below."""
        path = tmp_path / "techboy.toml"
        path.write_text('[romeo]\nlisten = ["tcp:1", "tcp:2"]\n')
        words = ("--config", str(path))
        assert parsed(romeo.Options, *words)["listen"] == ["tcp:1", "tcp:2"]
        assert parsed(romeo.Options, *words, "--listen", "tcp:3")["listen"] == ["tcp:3"]
        options = parsed(romeo.Options, *words, "--port", "0")
        assert (options["listen"], options["port"]) == ([], 0)
        monkeypatch.setenv("TECHBOY_ROMEO_HOST", "::1")
        options = parsed(romeo.Options, *words)
        assert (options["listen"], options["host"]) == ([], "::1")
        assert parsed(romeo.Options, *words, "--listen", "tcp:3")["listen"] == ["tcp:3"]

    def test_whom_to_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So is whom to call."""
        monkeypatch.setenv("TECHBOY_JULIET_SOCKET", "/run/romeo.sock")
        assert parsed(juliet.Options)["socket"] == "/run/romeo.sock"
        options = parsed(juliet.Options, "-p", "1")
        assert (options["socket"], options["port"]) == (None, 1)

    @BOTH
    @pytest.mark.parametrize(
        ("name", "text", "why"),
        [
            ("PORT", "x", "invalid port 'x': expected {}-65535"),
            ("NAME", "\x1b[2J", "invalid name '\\x1b[2J': expected 1-32 letters (a to z), digits, _ . or -"),
            ("PROT", "1", "unknown option"),
            ("VERSION", "1", "unknown option"),
            ("CONFIG", "", "invalid file name '': expected a path"),
            ("PING_INTERVAL", "60", "--ping-interval must be less than --ping-timeout"),
        ],
    )
    def test_mistake_in_environment(
        self,
        program: type[ConversationOptions],
        name: str,
        text: str,
        why: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A mistake of the environment's is one line that names the variable, and status 78."""
        variable = f"TECHBOY_{program.program.upper()}_{name}"
        monkeypatch.setenv(variable, text)
        why = why.format(0 if program is romeo.Options else 1)
        said = mistake(program, capsys=capsys, status=78)
        assert said == f"{program.program}: ${variable}: {why}\n"

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("port = 'x'", "[romeo] port: invalid port 'x': expected 0-65535"),
            ("config = 'x'", "[romeo] config: unknown option"),
            ("help = true", "[romeo] help: unknown option"),
            ("motd = '/nosuch/x'", "[romeo] motd: /nosuch/x: No such file or directory"),
            ("listen = ['nosuch:1']", "[romeo] listen: nosuch:1: Unknown endpoint type: 'nosuch'"),
            ("port = 1\nlisten = ['tcp:1']", "[romeo] listen: cannot be combined with port"),
            ("retention = 30", "[romeo] retention: invalid duration '30': expected a unit, for example 30d"),
            ("metrics = 9100", "[romeo] metrics: invalid endpoint '9100': expected for example tcp:9100"),
            (
                "once = true\nkeep-open = true",
                "[romeo] once, {}: [romeo] keep-open: --once cannot be combined with --keep-open",
            ),
            ("port =", "Invalid value (at line 2, column 7)"),
        ],
    )
    def test_mistake_in_file(
        self, text: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A mistake in the file is one line that names file, table and key, and status 78."""
        path = tmp_path / "techboy.toml"
        path.write_text(f"[romeo]\n{text}\n")
        said = mistake(romeo.Options, "--config", str(path), capsys=capsys, status=78)
        assert said == f"romeo: {path}: {why.format(path)}\n"

    def test_overridden_mistake(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A mistake is one also where something above says it better."""
        monkeypatch.setenv("TECHBOY_ROMEO_PORT", "x")
        assert "$TECHBOY_ROMEO_PORT: " in mistake(romeo.Options, "--port", "1", capsys=capsys, status=78)

    def test_whose_mistake(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        """What does not go together is the configuration's mistake only where that has a part in it."""
        monkeypatch.setenv("TECHBOY_JULIET_NAME", "rosaline")
        mistake(juliet.Options, "--ping-interval", "60", capsys=capsys, status=64)
        monkeypatch.setenv("TECHBOY_JULIET_PING_TIMEOUT", "9")
        said = mistake(juliet.Options, "--ping-interval", "60", capsys=capsys, status=78)
        assert (
            said == "juliet: $TECHBOY_JULIET_PING_TIMEOUT: --ping-interval must be less than --ping-timeout\n"
        )
        mistake(juliet.Options, "--sonnet", capsys=capsys, status=64)

    def test_safe(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What is said about a mistake is one line, whatever was given."""
        said = mistake(romeo.Options, "--motd", "/nosuch\n\x1b[2J" + "x" * 1000, capsys=capsys)
        assert said.count("\n") == 1
        assert "\x1b" not in said
        assert len(said) < 500

    @BOTH
    def test_long_socket(
        self,
        program: type[ConversationOptions],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A path that no socket can have is refused, and it is said where it stands."""
        path = "/" + "x" * LONGEST_PATH
        why = f"invalid socket path {path!r}: expected 1-{LONGEST_PATH} bytes"
        said = mistake(program, "--check", "--socket", path, capsys=capsys)
        assert said.startswith(f"{program.program}: --socket: {why}")
        variable = f"TECHBOY_{program.program.upper()}_SOCKET"
        monkeypatch.setenv(variable, path)
        said = mistake(program, "--check", capsys=capsys, status=78)
        assert said == f"{program.program}: ${variable}: {why}\n"
        monkeypatch.setenv(variable, path[1:])
        assert parsed(program)["socket"] == path[1:]

    @BOTH
    @pytest.mark.parametrize("words", [["-h"], ["--port", "1", "-h"], ["-h", "--name", "a"]])
    def test_short_help(
        self, program: type[ConversationOptions], words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Help has a short name."""
        answers = []
        for asked in (words, ["--help"]):
            with pytest.raises(SystemExit) as ended:
                parsed(program, *asked)
            assert not ended.value.code
            answers.append(capsys.readouterr())
        assert answers[0] == answers[1]
        assert "-h, --help " in answers[0].out

    @BOTH
    @pytest.mark.parametrize("word", ["--help", "-h", "--version"])
    def test_answers_anyway(
        self,
        program: type[ConversationOptions],
        word: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Help can be had also where the configuration is wrong."""
        monkeypatch.setenv(f"TECHBOY_{program.program.upper()}_PROT", "1")
        with pytest.raises(SystemExit) as ended:
            parsed(program, word)
        assert not ended.value.code
        assert capsys.readouterr().err == ""


class CheckTests:
    """`--check`."""

    @BOTH
    def test_good(
        self, program: type[ConversationOptions], screen: TextIO, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A good configuration is called so, and nobody is asked anything."""
        with pytest.raises(SystemExit) as ended:
            parsed(program, "--check", "--name", "x", streams=at_terminal(Typed(), screen))
        assert ended.value.code == 0
        assert capsys.readouterr().out == f"{program.program}: the configuration is valid\n"
        assert written(screen) == ""

    @pytest.mark.parametrize(
        "words",
        [
            ["--listen", "systemd:domain=INET:index=0"],
            ["--listen", "tcp:4444", "--listen", "unix:/nosuch/place"],
            ["--metrics", "tcp:9100"],
            ["--socket", "/nosuch/place"],
            ["--config", os.devnull],
        ],
    )
    def test_opens_nothing(
        self, words: list[str], screen: TextIO, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What only the program itself can find out, where it will run, is not looked at."""
        with pytest.raises(SystemExit) as ended:
            parsed(romeo.Options, "--check", *words, streams=at_terminal(Typed(), screen))
        assert ended.value.code == 0

    def test_nothing_to_tell_figures_with(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What has to be installed for metrics is looked for."""
        monkeypatch.delitem(sys.modules, "techboy.server.metrics", raising=False)
        monkeypatch.setitem(sys.modules, "prometheus_client", None)
        said = mistake(romeo.Options, "--check", "--metrics", "tcp:9100", capsys=capsys, status=78)
        assert said == "romeo: --metrics needs prometheus-client: pip install 'techboy[metrics]'\n"

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["--listen", "nosuch:1"], "--listen nosuch:1: Unknown endpoint type: 'nosuch'"),
            (["--metrics", "nosuch:1"], "--metrics nosuch:1: Unknown endpoint type: 'nosuch'"),
            (["--motd", "/nosuch/x"], "--motd: /nosuch/x: No such file or directory"),
            (["--ping-interval", "60"], "--ping-interval must be less than --ping-timeout"),
        ],
    )
    def test_wrong(self, words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
        """A wrong command line is refused as ever."""
        assert mistake(romeo.Options, "--check", *words, capsys=capsys) == (
            f"romeo: {why} (see twist romeo --help)\n"
        )


@BOTH
class WindowsTests:
    """What there is not on Windows."""

    SOCKET = "--socket: UNIX sockets are not supported on Windows"

    @pytest.mark.parametrize("words", [[], ["--check"]])
    def test_socket(
        self, program: type[ConversationOptions], words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A socket of UNIX is refused."""
        name = program.program
        said = mistake(on_windows(program), "--socket", "x", *words, capsys=capsys)
        assert said == f"{name}: {self.SOCKET} (see twist {name} --help)\n"

    def test_socket_configured(
        self,
        program: type[ConversationOptions],
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """So it is where the environment says it."""
        variable = f"TECHBOY_{program.program.upper()}_SOCKET"
        monkeypatch.setenv(variable, "x")
        said = mistake(on_windows(program), "--check", capsys=capsys, status=78)
        assert said == f"{program.program}: ${variable}: {self.SOCKET}\n"

    def test_check(
        self,
        program: type[ConversationOptions],
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A check says what is not used there, of variables those that are set."""
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
        with pytest.raises(SystemExit) as ended:
            parsed(on_windows(program), "--check")
        assert ended.value.code == 0
        name, said = program.program, capsys.readouterr().out.splitlines()
        assert said[0] == f"{name}: the configuration is valid"
        assert said[1:] == [f"{name}: not used on Windows: the reload at SIGHUP, $NOTIFY_SOCKET"]

    def test_manager(self, program: type[ConversationOptions], monkeypatch: pytest.MonkeyPatch) -> None:
        """What a service manager says is left alone there, and taken elsewhere."""
        monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
        assert not parsed(on_windows(program)).manager
        assert parsed(program).manager["NOTIFY_SOCKET"] == "/run/notify"


class PromptedTests:
    """Whether there can be a prompt."""

    @BOTH
    def test_reactor_chosen(
        self, program: type[ConversationOptions], screen: TextIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At a terminal it is asked for the reactor of a prompt; where that is not had, there is none."""
        monkeypatch.setenv("TERM", "xterm")
        for runs in (True, False):
            monkeypatch.setattr(reactors, "runs_on_asyncio", lambda runs=runs: runs)
            options = program()
            options.parent = twist_options()
            options.streams = lambda: at_terminal(Typed(), screen)
            options.parseOptions(["--host", "127.0.0.1"])
            assert options["prompted"] is runs

    def test_left_alone(self, screen: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where there is no use for one, for a check, or outside of twist, no reactor is chosen."""

        def never() -> bool:
            raise AssertionError("a reactor was chosen")

        monkeypatch.setattr(reactors, "runs_on_asyncio", never)
        monkeypatch.setenv("TERM", "xterm")
        streams = at_terminal(Typed(), screen)
        assert parsed(juliet.Options, "--host", "::1", streams=streams)["prompted"] is False
        for term, words in (("dumb", []), ("xterm", ["--check"])):
            monkeypatch.setenv("TERM", term)
            options = juliet.Options()
            options.parent = twist_options()
            options.streams = lambda: streams
            with suppress(SystemExit):
                options.parseOptions(["--host", "::1", *words])
            assert options["prompted"] is False


class RomeoTests:
    """What Romeo is asked and told."""

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["--listen", "tcp:4444", "--port", "1"], "--listen cannot be combined with --host or --port"),
            (["--listen", "tcp:4444", "--host", "::1"], "--listen cannot be combined with --host or --port"),
            (["--once", "--keep-open"], "--once cannot be combined with --keep-open"),
            (["--port", "port"], "--port: invalid port 'port': expected 0-65535"),
            (["--guests", "0"], "--guests: invalid number '0': expected 1-1000000"),
            (["--guests", "some"], "--guests: invalid number 'some': expected 1-1000000"),
            (["--history", "-1"], "--history: invalid number '-1': expected 0-1000000"),
            (["--rate", "0.5"], "--rate: invalid number '0.5': expected 0-1000000"),
            (
                ["--history-memory", "0"],
                "--history-memory: invalid size '0': expected for example 500000, 512K, 16M or 1G",
            ),
            (["--send-timeout", "0"], "--send-timeout: invalid duration '0': expected 0.001s to 36500d"),
            (["--sync", "often"], "--sync: invalid value 'often': expected full or normal"),
            (["--retention", "0d"], "--retention: invalid duration '0d': expected 0.001s to 36500d"),
            (["--retention", "30"], "--retention: invalid duration '30': expected a unit, for example 30d"),
            (["--session-ttl", "7"], "--session-ttl: invalid duration '7': expected a unit, for example 7d"),
            (
                ["--session-ttl", "a week"],
                "--session-ttl: invalid duration 'a week': expected for example 30s, 10m, 12h or 7d",
            ),
            (["--resume-timeout", "0"], "--resume-timeout: invalid duration '0': expected 0.001s to 36500d"),
            (["--plain"], "unknown option --plain"),
            (["--motd", "/nosuch/x"], "--motd: /nosuch/x: No such file or directory"),
        ],
    )
    def test_mistake(self, words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
        """What is wrong, or does not go together, is refused before anything is asked."""
        said = mistake(romeo.Options, *words, capsys=capsys)
        assert said == f"romeo: {why} (see twist romeo --help)\n"

    def test_listen(self) -> None:
        """Several endpoints may be listened on."""
        assert parsed(romeo.Options, "--listen", "tcp:1", "--listen=unix:x")["listen"] == ["tcp:1", "unix:x"]

    def test_asks(self, screen: TextIO) -> None:
        """A person is asked for address and port, a wrong port once more."""
        typed = Typed("127.0.0.1\nport\n13005\n")
        options = parsed(romeo.Options, streams=at_terminal(typed, screen))
        assert (options["host"], options["port"]) == ("127.0.0.1", 13005)
        assert written(screen) == (
            "Enter Romeo IP address ex : 0.0.0.0 : "
            "Enter Romeo port number ex : 4444 : "
            "invalid port 'port': expected 0-65535\n"
            "Enter Romeo port number ex : 4444 : "
        )

    def test_enter(self, screen: TextIO) -> None:
        """Enter takes what is usual."""
        options = parsed(romeo.Options, streams=at_terminal(Typed("\n\n"), screen))
        assert (options["host"], options["port"]) == ("0.0.0.0", 4444)

    @pytest.mark.parametrize("words", [["--host", "::1"], ["--port", "0"], ["--listen", "tcp:0"]])
    def test_does_not_ask(self, screen: TextIO, words: list[str]) -> None:
        """Who said where to listen is asked nothing."""
        parsed(romeo.Options, *words, streams=at_terminal(Typed(), screen))
        assert written(screen) == ""

    def test_shown(self, screen: TextIO, file: TextIO) -> None:
        """Whoever has a keyboard sees what is said."""
        assert parsed(romeo.Options, streams=at_terminal(Typed("\n\n"), screen))["shown"]
        assert parsed(romeo.Options, streams=Streams(file, file, file))["shown"]

    def test_daemon(self) -> None:
        """A daemon does not show what is said, unless it is told to."""
        assert not parsed(romeo.Options)["shown"]
        assert parsed(romeo.Options, "--output", "auto")["shown"]

    @pytest.mark.parametrize("words", [["--keep-open"], ["-k"]])
    def test_keep_open(self, words: list[str]) -> None:
        """The server can be told to wait for the next client, in one letter too, as in ncat."""
        assert not parsed(romeo.Options)["keep-open"]
        assert parsed(romeo.Options, *words)["keep-open"]

    def test_usual_house(self) -> None:
        """What a house is like is set where nothing is said about it."""
        options = parsed(romeo.Options)
        names = ["guests", "motd", "history", "history-memory", "rate", "send-timeout"]
        assert [options[name] for name in names] == [1000, [], 20, 16 * 1024**2, 20, 30.0]
        names = ["sync", "retention", "resume-timeout", "session-ttl"]
        assert [options[name] for name in names] == ["full", None, 600.0, 30 * DAY]
        assert (options["motd-path"], options["metrics"]) == (None, None)

    def test_house(self, tmp_path: Path) -> None:
        """What a house is like can be said."""
        path = tmp_path / "motd"
        path.write_text("two households\nboth alike\n")
        words = [
            "--guests",
            "3",
            "--history",
            "0",
            "--history-memory",
            "1M",
            "--rate",
            "0",
            "--send-timeout",
            "2.5",
            "--motd",
        ]
        options = parsed(romeo.Options, *words, str(path))
        assert options["motd-path"] == str(path)
        names = ["guests", "motd", "history", "history-memory", "rate", "send-timeout"]
        assert [options[name] for name in names] == [3, ["two households", "both alike"], 0, 1024**2, 0, 2.5]

    def test_storing(self) -> None:
        """How surely, and for how long, things are kept can be said."""
        words = ["--sync", "normal", "--retention", "12h", "--resume-timeout", "2.5", "--session-ttl", "7d"]
        options = parsed(romeo.Options, *words)
        names = ["sync", "retention", "resume-timeout", "session-ttl"]
        assert [options[name] for name in names] == ["normal", DAY / 2, 2.5, 7 * DAY]

    def test_memory_with_directory(self) -> None:
        """With a state directory memory is not where things are kept, and less of it is used, unless said."""
        assert parsed(romeo.Options, "--state", "x")["history-memory"] == 4 * 1024**2
        assert parsed(romeo.Options, "--state", "x", "--history-memory", "1K")["history-memory"] == 1024

    @pytest.mark.parametrize(
        ("variable", "words", "state"),
        [
            ("/var/lib/romeo", [], "/var/lib/romeo"),
            ("/var/lib/romeo:/var/lib/other", [], "/var/lib/romeo"),
            ("", [], None),
            ("/var/lib/romeo", ["--state", "/srv/romeo"], "/srv/romeo"),
        ],
    )
    def test_state_directory(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, words: list[str], state: str | None
    ) -> None:
        """The state directory is the one that was said, or the first that the service manager gives."""
        monkeypatch.setenv("STATE_DIRECTORY", variable)
        assert parsed(romeo.Options, *words)["state"] == state

    @pytest.mark.parametrize(
        ("variable", "words", "path"),
        [
            ("/run/romeo", [], str(Path("/run/romeo/romeo.sock"))),
            ("/run/romeo:/run/other", [], str(Path("/run/romeo/romeo.sock"))),
            ("", [], None),
            ("/run/romeo", ["--socket", "x"], "x"),
            ("", ["--socket", "x"], "x"),
        ],
    )
    def test_socket(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, words: list[str], path: str | None
    ) -> None:
        """The host's own door is where it was said, or where the service manager has a place for it."""
        monkeypatch.setenv("RUNTIME_DIRECTORY", variable)
        assert parsed(romeo.Options, *words)["socket"] == path

    def test_metrics(self) -> None:
        """Figures are for this machine alone, unless it is said otherwise."""
        assert parsed(romeo.Options, "--metrics", "tcp:9100")["metrics"] == "tcp:9100:interface=127.0.0.1"
        elsewhere = "tcp:9100:interface=0.0.0.0"
        assert parsed(romeo.Options, "--metrics", elsewhere)["metrics"] == elsewhere

    @pytest.mark.parametrize(("name", "text"), [("metrics", "tcp:9100"), ("socket", "x")])
    def test_direct(self, name: str, text: str, screen: TextIO) -> None:
        """What belongs to rooms can be had in direct mode, too."""
        options = parsed(
            romeo.Options, f"--{name}", text, "--port", "0", streams=at_terminal(Typed(), screen)
        )
        assert not options["many"]
        assert options[name].startswith(text)

    def test_passed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sockets that a service manager passes are listened on, unless it is said where."""
        passed = ["unix:x", "tcp:1"]
        monkeypatch.setattr(endpoints, "inherited_sockets", lambda: list(passed))
        assert parsed(romeo.Options)["listen"] == passed
        assert parsed(romeo.Options, "--port", "1")["listen"] == []
        assert parsed(romeo.Options, "--listen", "tcp:2")["listen"] == ["tcp:2"]
        monkeypatch.setenv("TECHBOY_ROMEO_HOST", "::1")
        assert parsed(romeo.Options)["listen"] == []

    def test_windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """On Windows no service manager is asked where anything is."""
        monkeypatch.setattr(endpoints, "inherited_sockets", lambda: pytest.fail("it is asked for sockets"))
        for variable in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
            monkeypatch.setenv(variable, "/run/romeo")
        options = parsed(on_windows(romeo.Options))
        assert (options["listen"], options["state"], options["socket"]) == ([], None, None)

    @pytest.mark.parametrize("name", ["listen", "metrics"])
    @pytest.mark.parametrize(
        ("text", "what"),
        [("unix:x", "UNIX sockets"), ("systemd:domain=INET:index=0", "sockets of a service manager")],
    )
    @pytest.mark.parametrize("words", [[], ["--check"]])
    def test_endpoint_on_windows(
        self, name: str, text: str, what: str, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Endpoints that there are not on Windows are refused there."""
        said = mistake(on_windows(romeo.Options), f"--{name}", text, *words, capsys=capsys)
        why = f"--{name} {text}: {what} are not supported on Windows"
        assert said == f"romeo: {why} (see twist romeo --help)\n"

    def test_passed_and_not_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where sockets are passed and others are listened on, the log says that nobody answers at them."""
        monkeypatch.setattr(endpoints, "inherited_sockets", lambda: ["systemd:domain=INET:index=0"])
        monkeypatch.setattr(endpoints, "server", lambda reactor, text: None)
        for words, warnings in (
            ([], 0),
            (["--port", "1"], 1),
            (["--listen", "tcp:2"], 1),
            (["--listen", "systemd:domain=INET:index=0"], 0),
        ):
            with capturedLogs() as events:
                assert parsed(romeo.Options, *words)
            assert [event["event"] for event in events] == ["inherited_sockets_unused"] * warnings

    def test_passed_in_vain(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What is passed and can't be listened on is a mistake of the service's."""

        def passed() -> list[str]:
            raise ValueError("descriptor 3 is not a listening socket")

        monkeypatch.setattr(endpoints, "inherited_sockets", passed)
        said = mistake(romeo.Options, capsys=capsys, status=78)
        assert said == "romeo: $LISTEN_FDS: descriptor 3 is not a listening socket\n"

    def test_many(self, screen: TextIO, file: TextIO) -> None:
        """Without a keyboard there are many guests; with one there is one, unless more are asked for."""
        assert parsed(romeo.Options)["many"]
        for streams in (at_terminal(Typed("\n\n"), screen), Streams(file, file, file)):
            assert not parsed(romeo.Options, streams=streams)["many"]
            assert parsed(romeo.Options, "--port", "1", "--guests", "2", streams=streams)["many"]


PLACES = [
    (["--host", "127.0.0.1:13005"], ("127.0.0.1", 13005)),
    (["--host", "[::1]"], ("::1", 4444)),
    (["--host", "[::1]:13005"], ("::1", 13005)),
    (["--host", "[::1]", "--port", "13005"], ("::1", 13005)),
    (["--host", "verona:13005", "-p", "13005"], ("verona", 13005)),
]
NO_HOST = "expected a name or an IP address, or HOST:PORT or [IPV6]:PORT"


@pytest.mark.parametrize(("program", "name"), [(romeo.Options, "romeo"), (juliet.Options, "juliet")])
class HostTests:
    """What either program takes for a host, wherever it is said."""

    @pytest.mark.parametrize(("words", "place"), PLACES)
    def test_words(
        self, program: type[ConversationOptions], name: str, words: list[str], place: tuple[str, int]
    ) -> None:
        """It may be said with its port, and IPv6 addresses in brackets."""
        options = parsed(program, *words)
        assert (options["host"], options["port"]) == place

    @pytest.mark.parametrize("host", ["", "300.1.1.1", "a..b", "no such host"])
    def test_no_host(
        self, program: type[ConversationOptions], name: str, host: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What can be no host is refused."""
        said = mistake(program, f"--host={host}", capsys=capsys)
        assert said == f"{name}: --host: invalid host {host!r}: {NO_HOST} (see twist {name} --help)\n"

    def test_no_port(
        self, program: type[ConversationOptions], name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """So is a port that can be none."""
        said = mistake(program, "--host=verona:65536", capsys=capsys)
        lowest = 0 if program is romeo.Options else 1
        why = f"--host: invalid port '65536': expected {lowest}-65535"
        assert said == f"{name}: {why} (see twist {name} --help)\n"

    def test_two_ports(
        self, program: type[ConversationOptions], name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """So are two ports."""
        said = mistake(program, "--host=verona:1", "--port=2", capsys=capsys)
        why = "--host says port 1, and --port says 2: expected one port"
        assert said == f"{name}: {why} (see twist {name} --help)\n"

    def test_environment(
        self,
        program: type[ConversationOptions],
        name: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The environment and a file may say the same, and are refused the same."""
        variable = f"TECHBOY_{name.upper()}_HOST"
        monkeypatch.setenv(variable, "[::1]:13005")
        options = parsed(program)
        assert (options["host"], options["port"]) == ("::1", 13005)
        said = mistake(program, "--port", "1", capsys=capsys, status=78)
        assert said == f"{name}: ${variable}: --host says port 13005, and --port says 1: expected one port\n"
        monkeypatch.setenv(variable, "300.1.1.1")
        said = mistake(program, capsys=capsys, status=78)
        assert said == f"{name}: ${variable}: invalid host '300.1.1.1': {NO_HOST}\n"

    def test_file(
        self,
        program: type[ConversationOptions],
        name: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """So may a file."""
        file = tmp_path / "file"
        file.write_text(f"[{name}]\nhost = '127.0.0.1:13005'\n")
        options = parsed(program, "--config", str(file))
        assert (options["host"], options["port"]) == ("127.0.0.1", 13005)
        file.write_text(f"[{name}]\nhost = ''\n")
        said = mistake(program, "--config", str(file), "--check", capsys=capsys, status=78)
        assert said == f"{name}: {file}: [{name}] host: invalid host '': {NO_HOST}\n"

    def test_asked(self, program: type[ConversationOptions], name: str, screen: TextIO) -> None:
        """So may a person who is asked, and is asked once more; a port that was said is not asked for."""
        typed = Typed("a..b\n[::1]:13005\n")
        options = parsed(program, streams=at_terminal(typed, screen))
        assert (options["host"], options["port"]) == ("::1", 13005)
        assert f"invalid host 'a..b': {NO_HOST}\n" in written(screen)
        assert "port number" not in written(screen)


class JulietTests:
    """What Juliet is asked and told."""

    def test_asked_for_another_port(self, screen: TextIO) -> None:
        """A person who was asked for the host can't say another port than the command line."""
        typed = Typed("verona:2\nverona:1\n")
        options = parsed(juliet.Options, "--port", "1", streams=at_terminal(typed, screen))
        assert (options["host"], options["port"]) == ("verona", 1)
        assert "--host says port 2, and --port says 1: expected one port\n" in written(screen)

    def test_asks(self, screen: TextIO) -> None:
        """A person is asked where Romeo is."""
        typed = Typed("0.tcp.ngrok.io\n13005\n")
        options = parsed(juliet.Options, streams=at_terminal(typed, screen))
        assert (options["host"], options["port"]) == ("0.tcp.ngrok.io", 13005)
        assert written(screen) == (
            "Enter Romeo IP address - ex: 0.tcp.ngrok.io : Enter Romeo port number - ex: 13005  : "
        )

    def test_enter(self, screen: TextIO) -> None:
        """Enter takes what is usual."""
        options = parsed(juliet.Options, streams=at_terminal(Typed("\n\n"), screen))
        assert (options["host"], options["port"]) == ("127.0.0.1", 4444)

    def test_asks_for_the_rest(self, screen: TextIO) -> None:
        """What was said already is not asked."""
        options = parsed(juliet.Options, "--port", "1", streams=at_terminal(Typed("verona\n"), screen))
        assert (options["host"], options["port"]) == ("verona", 1)
        assert written(screen) == "Enter Romeo IP address - ex: 0.tcp.ngrok.io : "

    def test_does_not_ask(self, screen: TextIO) -> None:
        """Who said where Romeo is, is asked nothing."""
        options = parsed(juliet.Options, "--host", "verona", streams=at_terminal(Typed(), screen))
        assert (options["host"], options["port"]) == ("verona", 4444)
        assert written(screen) == ""

    @pytest.mark.parametrize("port", ["0", "65536", "port"])
    def test_wrong_port(self, port: str, screen: TextIO, capsys: pytest.CaptureFixture[str]) -> None:
        """A port where nobody can listen is refused, and asked for once more."""
        why = f"invalid port {port!r}: expected 1-65535"
        said = mistake(juliet.Options, "--port", port, capsys=capsys)
        assert said == f"juliet: --port: {why} (see twist juliet --help)\n"
        options = parsed(juliet.Options, streams=at_terminal(Typed(f"verona\n{port}\n13005\n"), screen))
        assert options["port"] == 13005
        assert why in written(screen)

    def test_timeout(self, capsys: pytest.CaptureFixture[str]) -> None:
        """She calls for ever, unless told for how long."""
        assert parsed(juliet.Options)["timeout"] is None
        assert parsed(juliet.Options, "--timeout", "1.5")["timeout"] == 1.5
        assert mistake(juliet.Options, "--timeout", "0", capsys=capsys) == (
            "juliet: --timeout: invalid duration '0': expected 0.001s to 36500d (see twist juliet --help)\n"
        )

    def test_socket(self, screen: TextIO, capsys: pytest.CaptureFixture[str]) -> None:
        """Who takes the host's own door is asked nothing, and calls nobody."""
        options = parsed(juliet.Options, "--socket", "x", streams=at_terminal(Typed(), screen))
        assert options["socket"] == "x"
        assert written(screen) == ""
        for words in (["--host", "::1"], ["--port", "1"]):
            said = mistake(juliet.Options, "--socket", "x", *words, capsys=capsys)
            assert (
                said
                == "juliet: --socket cannot be combined with --host or --port (see twist juliet --help)\n"
            )

    def test_plain(self) -> None:
        """She speaks the native dialect, unless told not to."""
        assert not parsed(juliet.Options)["plain"]
        assert parsed(juliet.Options, "--plain")["plain"]

    def test_state_directory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Her state is kept where she was told, and nowhere else."""
        monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/romeo")
        assert parsed(juliet.Options)["state"] is None

    @pytest.mark.parametrize("option", ["--sync", "--retention", "--resume-timeout", "--session-ttl"])
    def test_no_house(self, option: str, capsys: pytest.CaptureFixture[str]) -> None:
        """She has no house of which anything could be set."""
        said = mistake(juliet.Options, option, "1", capsys=capsys)
        assert said == f"juliet: unknown option {option} (see twist juliet --help)\n"

    def test_shown(self) -> None:
        """She shows what is said, also without a keyboard."""
        assert parsed(juliet.Options)["shown"]


class SeparateLogTests:
    """Twist's log and the conversation do not mix."""

    def test_file(self, file: TextIO) -> None:
        """A log file that was asked for stays."""
        twist = twist_options(logFile=io.StringIO())
        given = dict(twist)
        assert redirect_log(twist, Streams(None, file, None), talks=True) is None
        assert twist == given

    def test_daemon(self, file: TextIO) -> None:
        """Where nothing is said on standard output, the log stays there."""
        twist = twist_options()
        log = redirect_log(twist, Streams(None, file, None), talks=False)
        assert twist["logFile"] is log
        assert logged(twist, file) == "a line\n"

    def test_standard_error(self, screen: TextIO, file: TextIO) -> None:
        """Where it was asked for on standard error, it is there, as it was asked for."""
        twist = twist_options(logFile=sys.stderr)
        redirect_log(twist, Streams(None, screen, on_terminal(file)), talks=False)
        assert logged(twist, file) == "a line\n"
        assert twist["logLevel"] is LogLevel.info
        assert twist["fileLogObserverFactory"] is jsonFileLogObserver

    @pytest.mark.parametrize("talks", [True, False])
    def test_closed(self, file: TextIO, talks: bool) -> None:
        """Where standard output is closed, the log goes to standard error."""
        twist = twist_options(logFile=None)
        redirect_log(twist, Streams(None, None, file), talks)
        assert logged(twist, file) == "a line\n"

    def test_to_file(self, file: TextIO) -> None:
        """In a file or a pipe, the log is what it would be elsewhere."""
        twist = twist_options()
        redirect_log(twist, Streams(None, file, file), talks=True)
        assert logged(twist, file) == "a line\n"
        assert twist["logLevel"] is LogLevel.info
        assert twist["fileLogObserverFactory"] is jsonFileLogObserver

    @pytest.mark.parametrize(
        ("asked", "shown"),
        [(LogLevel.info, LogLevel.warn), (LogLevel.debug, LogLevel.debug), (LogLevel.error, LogLevel.error)],
        ids=["info", "debug", "error"],
    )
    def test_level_on_terminal(self, screen: TextIO, asked: Any, shown: Any) -> None:
        """A person sees warnings and worse, unless another level was asked for."""
        twist = twist_options(logLevel=asked)
        redirect_log(twist, at_terminal(Typed(), screen), talks=True)
        assert twist["logLevel"] is shown

    def test_format_on_terminal(self, screen: TextIO) -> None:
        """The format that twist chose for a terminal stays."""
        chosen = object()
        twist = twist_options(fileLogObserverFactory=chosen)
        redirect_log(twist, at_terminal(Typed(), screen), talks=True)
        assert twist["fileLogObserverFactory"] is chosen

    @pytest.mark.parametrize("closed", [True, False])
    def test_text_on_terminal(self, screen: TextIO, file: TextIO, closed: bool) -> None:
        """A person reads text, also where standard output is none of hers."""
        twist = twist_options()
        redirect_log(twist, Streams(None, None if closed else file, on_terminal(screen)), talks=True)
        assert twist["fileLogObserverFactory"] is textFileLogObserver
