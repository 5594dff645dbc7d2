"""Tests of the command line that Romeo and Juliet have in common."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest
from twisted.logger import LogLevel, jsonFileLogObserver, textFileLogObserver
from twisted.python.usage import Options, UsageError

import techboy
from techboy import juliet, romeo
from techboy.options import (
    DAY,
    LONGEST_FILE,
    ConversationOptions,
    days,
    lines_of,
    option,
    port_number,
    seconds,
    separate_log,
    size,
    whole_number,
)
from techboy.terminal.streams import StandardError, Streams
from tests.terminal.fakes import OnTerminal, Typed, at_terminal, written

BOTH = pytest.mark.parametrize("program", [romeo.Options, juliet.Options], ids=["romeo", "juliet"])


@pytest.fixture(autouse=True)
def no_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be said by the environment."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


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


def mistake(program: type[ConversationOptions], *words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the program that ends because of ``words`` says."""
    with pytest.raises(SystemExit) as ended:
        parsed(program, *words)
    assert ended.value.code == 64
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


class WholeNumberTests:
    """A whole number is read strictly."""

    @pytest.mark.parametrize(("text", "number"), [("1", 1), ("42", 42), ("65535", 65535), ("007", 7)])
    def test_taken(self, text: str, number: int) -> None:
        assert whole_number(1, 65535)(text) == number

    @pytest.mark.parametrize(
        "text", ["", "0", "65536", "-1", "+1", "1.0", "1e3", " 7", "7 ", "1_000", "0x10", "٣", "²", "many"]
    )
    def test_refused(self, text: str) -> None:
        """What is no whole number of the range is refused, and it is said what is wanted."""
        with pytest.raises(ValueError, match="a whole number from 1 to 65535 is wanted, not ") as refused:
            whole_number(1, 65535)(text)
        assert repr(text) in str(refused.value)

    @pytest.mark.parametrize("port", ["0", "65535"])
    def test_port(self, port: str) -> None:
        """Any port may be listened on, and 0 for one that is free."""
        assert port_number(port) == int(port)


class SecondsTests:
    """A time is a positive number."""

    @pytest.mark.parametrize(("text", "number"), [("1", 1.0), ("0.25", 0.25), ("1e3", 1000.0)])
    def test_taken(self, text: str, number: float) -> None:
        assert seconds(text) == number

    @pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1s", "soon"])
    def test_refused(self, text: str) -> None:
        """What would never come, or has no end, is refused."""
        with pytest.raises(ValueError, match="a number of seconds is wanted, not ") as refused:
            seconds(text)
        assert repr(text) in str(refused.value)


class DaysTests:
    """Times that are long."""

    @pytest.mark.parametrize(("text", "number"), [("1", DAY), ("30", 30 * DAY), ("0.25", 21600.0)])
    def test_taken(self, text: str, number: float) -> None:
        """They are seconds inside."""
        assert days(text) == number

    @pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "", "1d"])
    def test_refused(self, text: str) -> None:
        """What is no time is named."""
        with pytest.raises(ValueError, match=f"^a number of days is wanted, not '{text}'$"):
            days(text)


class SizeTests:
    """A size is a number of bytes, or of a thousand times as many."""

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("1", 1),
            ("500000", 500_000),
            ("512K", 512 * 1024),
            ("16m", 16 * 1024**2),
            ("1G", 1024**3),
            ("9" * 12, 10**12 - 1),
        ],
    )
    def test_taken(self, text: str, number: int) -> None:
        assert size(text) == number

    @pytest.mark.parametrize(
        "text", ["", "0", "0K", "K", "-1", "1.5M", "16 M", "16MB", "1T", "1_000", "²", "9" * 13, "much"]
    )
    def test_refused(self, text: str) -> None:
        """What is no size, or nothing, or more than anybody has, is refused."""
        with pytest.raises(ValueError, match="a size as 500000, 512K, 16M or 1G is wanted, not ") as refused:
            size(text)
        assert repr(text) in str(refused.value)


class LinesOfTests:
    """A file's lines can be shown."""

    @pytest.mark.parametrize(
        ("data", "lines"),
        [
            (b"one", ["one"]),
            (b"one\ntwo\n", ["one", "two"]),
            (b"one\r\n\r\ntwo\r\n", ["one", "", "two"]),
            (b"one\n\n", ["one", ""]),
            ("wherefore\tart thou \u2014 \U0001f339".encode(), ["wherefore\tart thou \u2014 \U0001f339"]),
        ],
    )
    def test_lines(self, tmp_path: Path, data: bytes, lines: list[str]) -> None:
        """They are its lines, whatever their ends."""
        path = tmp_path / "motd"
        path.write_bytes(data)
        assert lines_of(str(path)) == lines

    def test_cleaned(self, tmp_path: Path) -> None:
        """What is unsafe for a terminal is not in them."""
        path = tmp_path / "motd"
        path.write_bytes(b"a\x1b[2J\xff\n")
        assert lines_of(str(path)) == ["a\ufffd[2J\ufffd"]

    def test_long(self, tmp_path: Path) -> None:
        """Of a file that is too long for this, the beginning is taken."""
        path = tmp_path / "motd"
        path.write_bytes(b"x" * LONGEST_FILE + b"y")
        assert lines_of(str(path)) == ["x" * LONGEST_FILE]

    def test_refused(self, tmp_path: Path) -> None:
        """A file that can't be read is refused, and it is said why."""
        with pytest.raises(ValueError, match=r"missing: No such file or directory$"):
            lines_of(str(tmp_path / "missing"))
        with pytest.raises(ValueError, match=r": Is a directory$"):
            lines_of(str(tmp_path))


class OptionTests:
    """A mistake names its option."""

    def test_taken(self) -> None:
        assert option("answer", int)("42") == 42

    def test_refused(self) -> None:
        """What can't be read is refused under the option's name."""
        with pytest.raises(UsageError, match=r"^--port: a whole number from 0 to 65535 is wanted, not 'x'$"):
            option("port", port_number)("x")


class ConversationOptionsTests:
    """What both programs can be told."""

    @BOTH
    def test_defaults(self, program: type[ConversationOptions]) -> None:
        """Nothing has to be said."""
        options = parsed(program)
        assert (options["max-line"], options["output"], options["port"]) == (4096, "auto", 4444)
        assert (options["state"], options["ping"], options["dead"]) == (None, 25.0, 60.0)

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
        options = parsed(program, "--state", "a/b", "--ping", "0.5", "--dead=2")
        assert (options["state"], options["ping"], options["dead"]) == ("a/b", 0.5, 2.0)

    @BOTH
    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["--max-line", "63"], "--max-line: a whole number from 64 to 65536 is wanted, not '63'"),
            (["--max-line=65537"], "--max-line: a whole number from 64 to 65536 is wanted, not '65537'"),
            (["--output", "xml"], "--output: one of auto, names, bare, json is wanted, not 'xml'"),
            (["--ping", "9", "--dead", "9"], "--ping has to be less than --dead"),
            (["--state", ""], "--state: a directory is wanted, not nothing"),
            (["--ping", "0"], "--ping: a number of seconds is wanted, not '0'"),
            (["--dead", "inf"], "--dead: a number of seconds is wanted, not 'inf'"),
            (["--sonnet"], "option --sonnet not recognized"),
            (["--port"], "option --port requires argument"),
            (["verona"], "Wrong number of arguments."),
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
        assert said.startswith(f"{program.program}: --name: a name is 1 to 32 letters")
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
        assert isinstance(options.parent["logFile"], StandardError)


class RomeoTests:
    """What Romeo is asked and told."""

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["--listen", "tcp:4444", "--port", "1"], "--listen goes without --host and --port"),
            (["--listen", "tcp:4444", "--host", "::1"], "--listen goes without --host and --port"),
            (["--once", "--stay"], "--once and --stay do not go together"),
            (["--port", "port"], "--port: a whole number from 0 to 65535 is wanted, not 'port'"),
            (["--guests", "0"], "--guests: a whole number from 1 to 1000000 is wanted, not '0'"),
            (["--guests", "some"], "--guests: a whole number from 1 to 1000000 is wanted, not 'some'"),
            (["--history", "-1"], "--history: a whole number from 0 to 1000000 is wanted, not '-1'"),
            (["--rate", "0.5"], "--rate: a whole number from 0 to 1000000 is wanted, not '0.5'"),
            (["--keep-memory", "0"], "--keep-memory: a size as 500000, 512K, 16M or 1G is wanted, not '0'"),
            (["--stall", "0"], "--stall: a number of seconds is wanted, not '0'"),
            (["--sync", "often"], "--sync: one of full, normal is wanted, not 'often'"),
            (["--keep", "0"], "--keep: a number of days is wanted, not '0'"),
            (["--remember", "a week"], "--remember: a number of days is wanted, not 'a week'"),
            (["--grace", "0"], "--grace: a number of seconds is wanted, not '0'"),
            (["--plain"], "option --plain not recognized"),
            (["--motd", "/dev/null/x"], "--motd: /dev/null/x: Not a directory"),
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
            "a whole number from 0 to 65535 is wanted, not 'port'\n"
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

    def test_usual_house(self) -> None:
        """What a house is like is set where nothing is said about it."""
        options = parsed(romeo.Options)
        names = ["guests", "motd", "history", "keep-memory", "rate", "stall"]
        assert [options[name] for name in names] == [1000, [], 20, 16 * 1024**2, 20, 30.0]
        names = ["sync", "keep", "grace", "remember"]
        assert [options[name] for name in names] == ["full", None, 600.0, 30 * DAY]

    def test_house(self, tmp_path: Path) -> None:
        """What a house is like can be said."""
        path = tmp_path / "motd"
        path.write_text("two households\nboth alike\n")
        words = [
            "--guests",
            "3",
            "--history",
            "0",
            "--keep-memory",
            "1M",
            "--rate",
            "0",
            "--stall",
            "2.5",
            "--motd",
        ]
        options = parsed(romeo.Options, *words, str(path))
        names = ["guests", "motd", "history", "keep-memory", "rate", "stall"]
        assert [options[name] for name in names] == [3, ["two households", "both alike"], 0, 1024**2, 0, 2.5]

    def test_storing(self) -> None:
        """How surely, and for how long, things are kept can be said; days may be parts of one."""
        words = ["--sync", "normal", "--keep", "0.5", "--grace", "2.5", "--remember", "7"]
        options = parsed(romeo.Options, *words)
        names = ["sync", "keep", "grace", "remember"]
        assert [options[name] for name in names] == ["normal", DAY / 2, 2.5, 7 * DAY]

    def test_memory_with_directory(self) -> None:
        """With a state directory memory is not where things are kept, and less of it is used, unless said."""
        assert parsed(romeo.Options, "--state", "x")["keep-memory"] == 4 * 1024**2
        assert parsed(romeo.Options, "--state", "x", "--keep-memory", "1K")["keep-memory"] == 1024

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

    def test_many(self, screen: TextIO, file: TextIO) -> None:
        """Without a keyboard there are many guests; with one there is one, unless more are asked for."""
        assert parsed(romeo.Options)["many"]
        for streams in (at_terminal(Typed("\n\n"), screen), Streams(file, file, file)):
            assert not parsed(romeo.Options, streams=streams)["many"]
            assert parsed(romeo.Options, "--port", "1", "--guests", "2", streams=streams)["many"]


class JulietTests:
    """What Juliet is asked and told."""

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
        why = f"a whole number from 1 to 65535 is wanted, not {port!r}"
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
            "juliet: --timeout: a number of seconds is wanted, not '0' (see twist juliet --help)\n"
        )

    def test_plain(self) -> None:
        """She speaks the native dialect, unless told not to."""
        assert not parsed(juliet.Options)["plain"]
        assert parsed(juliet.Options, "--plain")["plain"]

    def test_state_directory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Her state is kept where she was told, and nowhere else."""
        monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/romeo")
        assert parsed(juliet.Options)["state"] is None

    @pytest.mark.parametrize("option", ["--sync", "--keep", "--grace", "--remember"])
    def test_no_house(self, option: str, capsys: pytest.CaptureFixture[str]) -> None:
        """She has no house of which anything could be set."""
        said = mistake(juliet.Options, option, "1", capsys=capsys)
        assert said == f"juliet: option {option} not recognized (see twist juliet --help)\n"

    def test_shown(self) -> None:
        """She shows what is said, also without a keyboard."""
        assert parsed(juliet.Options)["shown"]


class SeparateLogTests:
    """Twist's log and the conversation do not mix."""

    def test_file(self, file: TextIO) -> None:
        """A log file that was asked for stays."""
        twist = twist_options(logFile=io.StringIO())
        given = dict(twist)
        separate_log(twist, Streams(None, file, None), talks=True)
        assert twist == given

    def test_daemon(self, file: TextIO) -> None:
        """Where nothing is said on standard output, the log stays there."""
        twist = twist_options()
        separate_log(twist, Streams(None, file, None), talks=False)
        assert twist["logFile"] is sys.stdout

    @pytest.mark.parametrize("talks", [True, False])
    def test_closed(self, file: TextIO, talks: bool) -> None:
        """Where standard output is closed, the log goes to standard error."""
        twist = twist_options(logFile=None)
        separate_log(twist, Streams(None, None, file), talks)
        twist["logFile"].write("a line\n")
        assert written(file) == "a line\n"

    def test_to_file(self, file: TextIO) -> None:
        """In a file or a pipe, the log is what it would be elsewhere."""
        twist = twist_options()
        separate_log(twist, Streams(None, file, file), talks=True)
        twist["logFile"].write("a line\n")
        assert written(file) == "a line\n"
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
        separate_log(twist, at_terminal(Typed(), screen), talks=True)
        assert twist["logLevel"] is shown

    def test_format_on_terminal(self, screen: TextIO) -> None:
        """The format that twist chose for a terminal stays."""
        chosen = object()
        twist = twist_options(fileLogObserverFactory=chosen)
        separate_log(twist, at_terminal(Typed(), screen), talks=True)
        assert twist["fileLogObserverFactory"] is chosen

    @pytest.mark.parametrize("closed", [True, False])
    def test_text_on_terminal(self, screen: TextIO, file: TextIO, closed: bool) -> None:
        """A person reads text, also where standard output is none of hers."""
        twist = twist_options()
        separate_log(twist, Streams(None, None if closed else file, OnTerminal(screen)), talks=True)
        assert twist["fileLogObserverFactory"] is textFileLogObserver
