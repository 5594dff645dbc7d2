"""Real programs and real peers for the tests: started, listened to with a deadline, and always ended."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from threading import Thread
from typing import Any, TypeAlias, TypeVar, cast

from pexpect import EOF, TIMEOUT
from pexpect.fdpexpect import fdspawn

from tests.children import start

DEADLINE = 30.0
"""Seconds that anything awaited may take; nearly all of it takes a fraction of one."""

TWIST = Path(sys.executable).with_name("twist")
WAYS_IN: Sequence[Sequence[str | Path]] = [
    [TWIST],
    [sys.executable, "-m", "techboy"],
    [sys.executable, "-m", "twisted"],
]
LOOPBACK = "127.0.0.1"
SHELL = "/bin/sh"

PIPE, NULL = subprocess.PIPE, subprocess.DEVNULL
E = TypeVar("E", bound="EndedAtLast")

Stream: TypeAlias = int | Path
"""What a standard stream is: PIPE, NULL, or a file."""

_LISTENING = r"Listening for connection on \S+:(\d+)\.\.\."

# a terminal is a controlling one, of which Ctrl-C comes, only for the leader of a session that asked for it
IN_CONTROLLING_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class EndedAtLast:
    """What is closed at the end of a ``with``, whatever becomes of the test."""

    def close(self) -> None:
        """End everything."""
        raise NotImplementedError

    def __enter__(self: E) -> E:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()


class Heard:
    """What comes out of a pipe or a connection, from the beginning."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._data, self._seen, self._ended = bytearray(), 0, False

    @property
    def data(self) -> bytes:
        """All that was read so far."""
        return bytes(self._data)

    def until(self, pattern: str) -> re.Match[bytes]:
        """Return the first match of ``pattern`` after the last one, as soon as it is there."""
        deadline = time.monotonic() + DEADLINE
        while True:
            match = re.compile(pattern.encode()).search(self._data, self._seen)
            if match is not None:
                self._seen = match.end()
                return match
            assert not self._ended, f"ended without {pattern!r}: {self._data!r}"
            self._read(deadline, pattern)

    def everything(self) -> bytes:
        """Return all of it, from the first byte, when it is at its end."""
        deadline = time.monotonic() + DEADLINE
        while not self._ended:
            self._read(deadline, "the end")
        return bytes(self._data)

    def _read(self, deadline: float, awaited: str) -> None:
        timeout = max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([self._descriptor], [], [], timeout)
        assert ready, f"{awaited!r} did not come: {self._data[-2000:]!r}"
        arrived = os.read(self._descriptor, 1 << 20)
        self._data += arrived
        self._ended = not arrived


class Program:
    """A program with pipes or files for its standard streams."""

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        stdin: Stream = PIPE,
        stdout: Stream = PIPE,
        stderr: Stream = PIPE,
        term: str = "xterm",
    ) -> None:
        with ExitStack() as files:
            self.process = start(
                command,
                cwd=folder,
                env={**os.environ, "TERM": term, "XDG_STATE_HOME": str(folder)},
                stdin=files.enter_context(stdin.open("rb")) if isinstance(stdin, Path) else stdin,
                stdout=files.enter_context(stdout.open("wb")) if isinstance(stdout, Path) else stdout,
                stderr=files.enter_context(stderr.open("wb")) if isinstance(stderr, Path) else stderr,
                start_new_session=True,
                bufsize=0,
            )
        if self.process.stdout is not None:
            self.output = Heard(self.process.stdout.fileno())
        if self.process.stderr is not None:
            self.errors = Heard(self.process.stderr.fileno())

    @property
    def port(self) -> int:
        """Where Romeo says that he listens."""
        return int(self.errors.until(_LISTENING)[1])

    def writes(self, text: str) -> None:
        """Give ``text`` to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())

    def end_input(self) -> None:
        """Let its standard input be at its end."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def shows(self, text: str) -> None:
        """Wait for ``text`` on its standard output."""
        self.output.until(re.escape(text))

    def states(self, text: str) -> None:
        """Wait for ``text`` on its standard error."""
        self.errors.until(re.escape(text))

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as nothing else does: at once, and in the middle of whatever it does."""
        self.process.kill()
        self.process.wait(DEADLINE)

    def ends(self) -> int:
        """Wait for its end, and return its exit status."""
        return self.process.wait(DEADLINE)

    def close(self) -> None:
        """End it, and whatever it started, if it did not end by itself, and report what it said."""
        status = self.process.poll()
        if status is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(DEADLINE)
        print(f"{self.process.args!r}: {'was ended' if status is None else status}\n{self._said_in_all()}")
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _said_in_all(self) -> str:
        return "" if self.process.stderr is None else self.errors.everything().decode()


class Terminal(Program):
    """A program in a terminal of its own, with somebody at the keyboard.

    ``stdout``: a file instead of the terminal. ``term``: what the terminal can do, which is as a rule no more
    than show text; `tests.functional.screens` has those that can.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        stdout: Stream | None = None,
        term: str = "dumb",
    ) -> None:
        keyboard, self._device = pty.openpty()
        self._blocking = os.get_blocking(self._device)
        controlled = [sys.executable, "-c", IN_CONTROLLING_TERMINAL, *command]
        super().__init__(
            controlled, folder, self._device, self._device if stdout is None else stdout, self._device, term
        )
        self._keyboard = keyboard
        self._screen = fdspawn(keyboard, timeout=DEADLINE, encoding="utf-8")

    @property
    def port(self) -> int:
        """Where Romeo says that he listens."""
        return int(self.until(_LISTENING)[1])

    @property
    def as_before(self) -> bool:
        """Whether whoever shares the terminal finds it as it was before the program."""
        return os.get_blocking(self._device) == self._blocking

    def until(self, pattern: str) -> re.Match[str]:
        """Return the first match of ``pattern`` after what was last waited for, as soon as it is there."""
        self._screen.expect(pattern)
        match: re.Match[str] = self._screen.match
        return match

    def writes(self, text: str) -> None:
        """Type ``text``."""
        self._screen.send(text)

    def shows(self, text: str) -> None:
        """Wait for ``text`` on the screen."""
        self._screen.expect_exact(text)

    def states(self, text: str) -> None:
        """Wait for ``text`` on the screen."""
        self.shows(text)

    def hang_up(self) -> None:
        """Close the terminal, as a window is closed; nothing is seen of it any more."""
        self._screen.close()
        os.close(self._device)
        self._device = os.open(os.devnull, os.O_RDWR)

    def _said_in_all(self) -> str:
        if self._screen.closed:
            return ""
        with suppress(TIMEOUT):
            self._screen.expect(EOF, timeout=0)
        return str(self._screen.before)

    def close(self) -> None:
        """End it if it did not end by itself, and put the terminal away."""
        super().close()
        self._screen.close()
        os.close(self._device)


class Peer:
    """The other end of a connection, in the hands of the test."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.settimeout(DEADLINE)
        self.heard = Heard(connection.fileno())

    @property
    def port(self) -> int:
        """Where its own end is."""
        port: int = self.connection.getsockname()[1]
        return port

    def says(self, text: str | bytes) -> None:
        """Send ``text`` as it stands."""
        self.connection.sendall(text.encode() if isinstance(text, str) else text)

    def receives(self) -> str:
        """Return the next that arrives, as the original scripts receive."""
        return self.connection.recv(1024).decode()

    def hears(self, text: str) -> None:
        """Wait for ``text``."""
        self.heard.until(re.escape(text))

    def hears_all(self) -> str:
        """Return everything that it heard, at the end of it; a connection that breaks is an error."""
        return self.heard.everything().decode()

    def hears_notices_alone(self) -> bool:
        """Tell, at the end of everything that it heard, whether nothing of it was said by anybody."""
        return all(line.startswith("* ") for line in self.hears_all().splitlines())

    def finish(self) -> None:
        """Close its half, and go on hearing."""
        self.connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close in good order."""
        self.connection.close()

    def reset(self) -> None:
        """Break the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class NativePeer(Peer):
    """A peer that speaks the native dialect, one frame a line."""

    def tells(self, frame: dict[str, object]) -> None:
        """Send ``frame``."""
        self.says(json.dumps(frame, ensure_ascii=False) + "\n")

    def told(self, type_: str) -> dict[str, Any]:
        """Return the next frame of that type, as soon as it is there; others before it do not matter."""
        while True:
            frame: dict[str, Any] = json.loads(self.heard.until(r".*\n")[0])
            if frame["type"] == type_:
                return frame

    def said(self, count: int) -> str:
        """Return the next ``count`` lines that are said, joined by LF, however many frames they come in."""
        lines: list[str] = []
        while len(lines) < count:
            lines += self.told("message")["text"].split("\n")
        assert len(lines) == count
        return "\n".join(lines)


class Relay:
    """What a connection to ``port`` goes through, to be cut; ``at``: its own port."""

    def __init__(self, port: int, at: int = 0) -> None:
        self._listener, self._there = Listener(at), port
        self.port = self._listener.port
        self._ends: list[socket.socket] = []
        Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break all connections; what is on its way is lost. The next ones are let through."""
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):  # it may be closed already
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD)  # which ends who waits for it

    def close(self) -> None:
        """Let nobody through any more: who calls is refused."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here = self._listener.accept()
                there = socket.create_connection((LOOPBACK, self._there), DEADLINE)
                self._ends += [here, there]
                Thread(target=self._pass_on, args=(here, there), daemon=True).start()

    def _pass_on(self, here: socket.socket, there: socket.socket) -> None:
        with here, there, suppress(OSError):
            while True:
                for end in select.select([here, there], [], [])[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    (there if end is here else here).sendall(data)


class Listener:
    """A Romeo in the hands of the test: a port that may be called."""

    def __init__(self, port: int = 0, backlog: int | None = None) -> None:
        self._socket = socket.create_server((LOOPBACK, port), backlog=backlog)
        self._socket.settimeout(DEADLINE)
        self.port: int = self._socket.getsockname()[1]

    def answers(self) -> Peer:
        """Return the next caller."""
        return Peer(self.accept())

    @property
    def set_nick(self) -> bool:
        """Whether somebody calls who was not answered yet."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def accept(self) -> socket.socket:
        """Return the connection of the next caller."""
        return self._socket.accept()[0]

    def close(self) -> None:
        """Listen no more."""
        with suppress(OSError):  # it may be closed already
            self._socket.shutdown(socket.SHUT_RDWR)  # or it would go on for who waits for a caller
        self._socket.close()


class Programs(EndedAtLast):
    """Starts programs and peers, and ends them all, whatever becomes of the test.

    ``folder``: where they run, and their files are. ``command_name``: the command by which `twist` is run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command_name: Sequence[str | Path] = [TWIST]
        self._started = ExitStack()

    def close(self) -> None:
        """End all of them."""
        self._started.close()

    def start(self, *command: str | Path, **streams: Stream) -> Program:
        """Start any program."""
        program = Program(command, self.folder, **cast(dict[str, Any], streams))
        self._started.callback(program.close)
        return program

    def twist(self, *arguments: str, **streams: Stream) -> Program:
        """Start the installed `twist`."""
        return self.start(*self.command_name, *arguments, **streams)

    def romeo(self, *options: str, port: int = 0, **streams: Stream) -> Program:
        """Start Romeo on ``port``, or on one that is free."""
        return self.twist("romeo", "--host", LOOPBACK, "--port", str(port), *options, **streams)

    def juliet(self, port: int, *options: str, **streams: Stream) -> Program:
        """Start Juliet, who calls ``port``."""
        return self.twist("juliet", "--host", LOOPBACK, "--port", str(port), *options, **streams)

    def terminal(self, *arguments: str, stdout: Stream | None = None) -> Terminal:
        """Start `twist` in a terminal."""
        terminal = Terminal([*self.command_name, *arguments], self.folder, stdout)
        self._started.callback(terminal.close)
        return terminal

    def romeo_in_terminal(self, port: int = 0, stdout: Stream | None = None) -> Terminal:
        """Start Romeo in a terminal, on ``port`` or on one that is free."""
        return self.terminal("romeo", "--host", LOOPBACK, "--port", str(port), stdout=stdout)

    def juliet_in_terminal(self, port: int, *options: str, stdout: Stream | None = None) -> Terminal:
        """Start Juliet, who calls ``port``, in a terminal."""
        return self.terminal("juliet", "--host", LOOPBACK, "--port", str(port), *options, stdout=stdout)

    def caller(self, port: int, host: str = LOOPBACK) -> Peer:
        """Return a peer that has called ``port``."""
        peer = Peer(socket.create_connection((host, port), DEADLINE))
        self._started.callback(peer.close)
        return peer

    def native_caller(self, port: int) -> NativePeer:
        """Return a peer that has called ``port`` and speaks the native dialect."""
        peer = NativePeer(socket.create_connection((LOOPBACK, port), DEADLINE))
        self._started.callback(peer.close)
        return peer

    def own_caller(self, path: Path) -> NativePeer:
        """Return a peer that has called the host's own door at ``path``."""
        connection = socket.socket(socket.AF_UNIX)
        peer = NativePeer(connection)
        self._started.callback(peer.close)
        connection.connect(str(path))
        return peer

    def patient_caller(self, port: int) -> Peer:
        """Return a peer that calls ``port`` until somebody answers."""
        callers: list[Peer] = []

        def called() -> bool:
            with suppress(ConnectionRefusedError):
                callers.append(self.caller(port))
            return bool(callers)

        wait_until(called)
        return callers[0]

    def listener(self, port: int = 0, backlog: int | None = None) -> Listener:
        """Return a listener on ``port``, or on one that is free; ``backlog``: how many callers may wait."""
        listener = Listener(port, backlog)
        self._started.callback(listener.close)
        return listener

    def answer(self, listener: Listener) -> Peer:
        """Return the next who calls ``listener``."""
        peer = listener.answers()
        self._started.callback(peer.close)
        return peer

    def answer_natively(self, listener: Listener) -> NativePeer:
        """Return the next who calls ``listener``, to be spoken to in the native dialect."""
        peer = NativePeer(listener.accept())
        self._started.callback(peer.close)
        return peer

    def relay(self, port: int, at: int = 0) -> Relay:
        """Return what passes calls on to ``port``."""
        relay = Relay(port, at)
        self._started.callback(relay.close)
        return relay

    def file(self, name: str, content: str | bytes) -> Path:
        """Return a file of that content."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


def refusal(program: Program, status: int) -> str:
    """Return the one line that ``program`` says before it ends with ``status``."""
    assert program.ends() == status
    assert program.output.everything() == b""
    line = program.errors.everything().decode()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert "Traceback" not in line
    return line


def kept(folder: Path) -> int:
    """Return how many lines Juliet, whose state is in ``folder``, keeps."""
    try:
        with closing(sqlite3.connect(f"file:{folder / 'juliet.sqlite'}?mode=ro", uri=True)) as connection:
            texts = connection.execute("SELECT text FROM outbox").fetchall()
    except sqlite3.OperationalError:  # it is not there yet, or being made
        return 0
    return sum(text.count("\n") + 1 for (text,) in texts)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return as soon as ``condition`` is true."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)  # other processes make it true, and do not say when


def free_port() -> int:
    """Return the number of a port that nobody listens on."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def has_ipv6(host: str = "::1") -> bool:
    """Tell whether ``host`` is, or has, an IPv6 address that can be listened on."""
    try:
        for family, kind, _, _, address in socket.getaddrinfo(host, 0, socket.AF_INET6, socket.SOCK_STREAM):
            with socket.socket(family, kind) as listener:
                listener.bind(address)
    except OSError:
        return False
    return True
