"""Programs that are told by their environment, by a file, and by a service manager."""

from __future__ import annotations

import shutil
import socket
import sys
from contextlib import closing
from pathlib import Path
from signal import SIGINT, SIGTERM

import pytest

import techboy
from techboy.exit_status import CONFIG, USAGE
from tests.functional.programs import (
    DEADLINE,
    LOOPBACK,
    NULL,
    PIPE,
    TWIST,
    Peer,
    Program,
    Programs,
    Terminal,
    free_port,
    has_ipv6,
    refusal,
)

ACTIVATE = shutil.which("systemd-socket-activate")

# what a service manager does: it listens, and the program that it becomes has the socket as descriptor 3
_PASSING = """
import os, socket, sys
family, place = socket.AddressFamily[sys.argv[1]], sys.argv[2]
listener = socket.socket(family)
listener.bind(place if family is socket.AF_UNIX else (place, 0))
if family is socket.AF_UNIX:
    os.chmod(place, 0o600)
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
if sys.argv[3]:
    os.environ["LISTEN_FDNAMES"] = sys.argv[3]
os.execv(sys.argv[4], sys.argv[4:])
"""

# the installed `twist`, which tells in the end what it ran on
_TELLING = """
import atexit, runpy, sys
sys.argv, told = sys.argv[1:], sys.stdout
atexit.register(lambda: print("on", type(sys.modules["twisted.internet.reactor"]).__name__, file=told))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def told(programs: Programs, *words: str, stdin: int = NULL, **environment: str) -> Program:
    """Start `twist` with ``words`` in an environment that says ``environment`` too."""
    variables = [f"{name}={text}" for name, text in environment.items()]
    return programs.start("/usr/bin/env", *variables, TWIST, *words, stdin=stdin)


def passed(programs: Programs, family: str, place: str, *words: str, names: str = "romeo.socket") -> Program:
    """Start Romeo as a service that was passed a socket of that ``family`` which listens at ``place``.

    ``names``: what the service manager calls it, nothing where it is empty.
    """
    command = [sys.executable, "-c", _PASSING, family, place, names]
    return programs.start(*command, TWIST, "romeo", *words, stdin=NULL)


class LayersTests:
    """The environment and the file."""

    def test_conversation(self, programs: Programs) -> None:
        """Both programs find each other by what a file and their environment say."""
        file = programs.file(
            "techboy.toml", '[romeo]\nlisten = ["tcp:1"]\nname = "montague"\n\n[juliet]\nname = "j"\n'
        )
        romeo = told(
            programs,
            "romeo",
            "--port",
            "0",
            stdin=PIPE,
            TECHBOY_ROMEO_CONFIG=str(file),
            TECHBOY_ROMEO_HOST=LOOPBACK,
            TECHBOY_ROMEO_OUTPUT="names",
        )
        juliet = told(
            programs,
            "juliet",
            "--config",
            str(file),
            stdin=PIPE,
            TECHBOY_JULIET_HOST=LOOPBACK,
            TECHBOY_JULIET_PORT=str(romeo.port),
        )
        juliet.states("Connected to montague")
        juliet.writes("wherefore\n")
        romeo.shows("j: wherefore\n")
        juliet.end_input()
        assert juliet.ends() == 0

    def test_mistakes(self, programs: Programs) -> None:
        """A mistake is one line that names where it is, and a status of its own."""
        wrong = str(programs.file("wrong.toml", "[romeo]\nport = 'x'\n"))
        broken = str(programs.file("broken.toml", b"[romeo]\nname = '\x1b[2J'\n"))
        prefix = "invalid port "
        started = [
            (
                told(programs, "romeo", "--config", wrong),
                f"{wrong}: [romeo] port: {prefix}'x': expected 0-65535",
            ),
            (told(programs, "romeo", "--config", "nosuch"), "nosuch: No such file or directory"),
            (told(programs, "romeo", "--config", broken), "(at line 2, column 9)"),
            (
                told(programs, "romeo", TECHBOY_ROMEO_PORT="y"),
                f"$TECHBOY_ROMEO_PORT: {prefix}'y': expected 0-65535",
            ),
            (told(programs, "romeo", TECHBOY_ROMEO_PROT="1"), "$TECHBOY_ROMEO_PROT: unknown option"),
            (told(programs, "juliet", TECHBOY_JULIET_PLAIN="ja"), "invalid value 'ja': expected yes or no"),
        ]
        for program, why in started:
            line = refusal(program, CONFIG)
            assert line.endswith(f"{why}\n")
            assert "\x1b" not in line


class CheckTests:
    """`--check`."""

    def test_good(self, programs: Programs) -> None:
        """A good configuration is called so, though its port is not to be had."""
        with socket.create_server((LOOPBACK, 0)) as other:
            port = str(other.getsockname()[1])
            file = programs.file(
                "techboy.toml", f'[romeo]\nlisten = ["tcp:{port}"]\nmetrics = "tcp:{port}"\n'
            )
            check = told(programs, "romeo", "--config", str(file), "--check")
            assert check.ends() == 0
        assert check.output.everything() == b"romeo: the configuration is valid\n"
        assert check.errors.everything() == b""

    def test_wrong(self, programs: Programs) -> None:
        """A mistake is named as it would be at the start."""
        file = programs.file("techboy.toml", '[romeo]\nlisten = ["nosuch:1"]\n')
        why = f"romeo: {file}: [romeo] listen: nosuch:1: Unknown endpoint type: 'nosuch'\n"
        assert refusal(told(programs, "romeo", "--config", str(file), "--check"), CONFIG) == why
        assert "--port" in refusal(told(programs, "juliet", "--check", "--port", "x"), USAGE)

    @pytest.mark.parametrize("name", ["romeo", "juliet"])
    def test_at_terminal(self, programs: Programs, name: str) -> None:
        """A person is told, and asked nothing."""
        check = programs.terminal(name, "--check")
        assert check.until(r"(Enter|valid)")[1] == "valid"
        assert check.ends() == 0


class PassedTests:
    """Sockets that a service manager listens on."""

    @pytest.mark.parametrize(
        ("family", "host"),
        [
            ("AF_INET", LOOPBACK),
            pytest.param(
                "AF_INET6",
                "::1",
                marks=pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback address"),
            ),
        ],
    )
    @pytest.mark.parametrize("names", ["romeo.socket", "", "one:two"])
    def test_tcp(self, programs: Programs, family: str, host: str, names: str) -> None:
        """Romeo listens where the service manager does, and not where he would else, whatever the names."""
        romeo = passed(programs, family, host, names=names)
        guest = programs.caller(romeo.port, host)
        guest.says("/who\n")
        guest.hears("* 1 here: guest1")
        romeo.signal(SIGTERM)
        guest.hears("* romeo is leaving")

    @pytest.mark.parametrize("names", ["romeo.socket", ""])
    def test_unix(self, programs: Programs, root: Path, names: str) -> None:
        """A socket with a path stays as it is, also when he has ended: the next Romeo will want it."""
        path = root / "romeo.socket"
        romeo = passed(programs, "AF_UNIX", str(path), names=names)
        romeo.states(f"Listening for connection on {path}...")
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(DEADLINE)
            connection.connect(str(path))
            guest = Peer(connection)
            guest.says("/who\n")
            guest.hears("* 1 here: guest1")
            romeo.signal(SIGTERM)
            guest.hears_all()
        romeo.ends()
        assert path.stat().st_mode & 0o777 == 0o600

    @pytest.mark.skipif(ACTIVATE is None, reason="needs systemd-socket-activate")
    def test_activated(self, programs: Programs) -> None:
        """By systemd's own tool for it, which gives no names, he is started by the first caller."""
        port = free_port()
        started = programs.start(str(ACTIVATE), "--listen", f"{LOOPBACK}:{port}", TWIST, "romeo", stdin=NULL)
        started.states("Listening on")
        guest = programs.caller(port)
        guest.says("/who\n")
        guest.hears("* 1 here: guest1")
        started.states(f"Listening for connection on {LOOPBACK}:{port}...")
        assert b"0.0.0.0" not in started.errors.data

    def test_not_wanted(self, programs: Programs) -> None:
        """Where it was said where to listen, that holds."""
        romeo = passed(programs, "AF_UNIX", str(programs.folder / "romeo.socket"), "--port", "0")
        guest = programs.caller(romeo.port)
        guest.says("/who\n")
        guest.hears("* 1 here: guest1")


class ReactorTests:
    """What a program at a terminal runs on."""

    @pytest.mark.parametrize(
        ("before", "name"), [((), "AsyncioSelectorReactor"), (("--reactor", "select"), "SelectReactor")]
    )
    @pytest.mark.parametrize(
        ("program", "port", "state"), [("romeo", "0", "Listening"), ("juliet", "1", "Calling")]
    )
    def test_reactor(
        self, programs: Programs, program: str, port: str, state: str, before: tuple[str, ...], name: str
    ) -> None:
        """It is the one that a prompt needs, unless another was asked for."""
        words = [*before, program, "--host", LOOPBACK, "--port", port]
        command = [sys.executable, "-c", _TELLING, str(TWIST), *words]
        with closing(Terminal(command, programs.folder, term="xterm")) as terminal:
            terminal.shows(state)
            terminal.writes("\x04")
            terminal.shows(f"on {name}")
            assert terminal.ends() == 0

    def test_other_way_in(self, programs: Programs) -> None:
        """It is the same by `python -m techboy`."""
        main = str(Path(techboy.__file__).with_name("__main__.py"))
        command = [sys.executable, "-c", _TELLING, main, "juliet", "--host", LOOPBACK, "--port", "1"]
        with closing(Terminal(command, programs.folder, term="xterm")) as terminal:
            terminal.shows("Calling")
            terminal.writes("\x04")
            terminal.shows("on AsyncioSelectorReactor")
            assert terminal.ends() == 0

    def test_no_terminal(self, programs: Programs) -> None:
        """A script's, and a service's, is Twisted's own choice."""
        romeo = programs.start(sys.executable, "-c", _TELLING, TWIST, "romeo", "--port", "0", stdin=PIPE)
        romeo.states("Listening")
        romeo.signal(SIGINT)
        assert romeo.output.until(r"on (\w+)\n")[1] != b"AsyncioSelectorReactor"
