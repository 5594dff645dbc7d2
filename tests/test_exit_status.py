"""Tests of how the program ends."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from techboy import exit_status
from tests import children
from tests.marks import needs_shell, needs_signals, needs_sysexits


def run(program: str, redirection: str = "") -> subprocess.CompletedProcess[str]:
    """Run a Python program, through a shell if there is a redirection."""
    command = [sys.executable, "-c", program]
    if redirection:
        command = ["/bin/sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, program]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return children.run(command, capture_output=True, text=True, timeout=30, env=buffered)


@pytest.fixture
def at_exit(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Give what is registered to be done at the end, without doing it."""
    registered: list[Callable[[], object]] = []
    monkeypatch.setattr(atexit, "register", lambda do, *args: registered.append(lambda: do(*args)))
    return registered


@pytest.fixture
def own_interrupt() -> Iterator[None]:
    """Give the test runner its handler of Ctrl-C back."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


class StatusTests:
    """What a script finds in ``$?``."""

    @needs_sysexits
    def test_sysexits(self) -> None:
        """The statuses are those that other programs use for the same."""
        assert exit_status.OK == os.EX_OK
        assert exit_status.USAGE == os.EX_USAGE
        assert exit_status.DATA_ERROR == os.EX_DATAERR
        assert exit_status.UNAVAILABLE == os.EX_UNAVAILABLE
        assert exit_status.CANNOT_LISTEN == os.EX_OSERR
        assert exit_status.IO_ERROR == os.EX_IOERR


class FailTests:
    """The program ends before it has begun."""

    def test_fail(self, capsys: pytest.CaptureFixture[str]) -> None:
        """One line on standard error says why, and the exit status says what kind of mistake it was."""
        with pytest.raises(SystemExit) as ended:
            exit_status.fail(exit_status.USAGE, "romeo: no such thing")
        assert ended.value.code == 64
        assert capsys.readouterr() == ("", "romeo: no such thing\n")

    @needs_shell
    @pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
    def test_nowhere(self, redirection: str) -> None:
        """Where the line cannot be written, the status still tells, and the line goes nowhere else."""
        code = "from techboy import exit_status; exit_status.fail(64, 'romeo: no such thing')"
        ended = run(code, redirection)
        assert (ended.returncode, ended.stdout, ended.stderr) == (64, "", "")


class AnswerTests:
    """The program is asked something, as for its help, and ends with the answer."""

    def test_answer(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The answer goes to standard output, and the status is 0."""
        with pytest.raises(SystemExit) as ended:
            exit_status.answer("romeo", "techboy 1.0")
        assert ended.value.code == 0
        assert capsys.readouterr() == ("techboy 1.0\n", "")

    @pytest.mark.parametrize(
        ("redirection", "why"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
    )
    @needs_shell
    def test_nowhere(self, redirection: str, why: str) -> None:
        """Where it cannot be written, one line and the status say so."""
        code = "from techboy import exit_status; exit_status.answer('romeo', 'techboy 1.0')"
        ended = run(code, redirection)
        assert (ended.returncode, ended.stdout) == (74, "")
        assert ended.stderr == f"romeo: standard output: {why}\n"

    @pytest.mark.parametrize("size", [1, 1_000_000])
    def test_enough(self, size: int) -> None:
        """A reader who has read enough, as head(1), is no error."""
        program = f"from techboy import exit_status; input(); exit_status.answer('romeo', 'a' * {size})"
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with children.start([sys.executable, "-c", program], **pipes) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            process.stdin.write(b"\n")
            process.stdin.close()
            assert process.stderr.read() == b""
        assert process.returncode == 0


class EndWithTests:
    """The program ends with a status that twist can't set."""

    def test_status(self) -> None:
        """The process ends with the status, after all that it printed."""
        ended = run("from techboy import exit_status; exit_status.set_exit_status(65); print('said', end='')")
        assert (ended.returncode, ended.stdout, ended.stderr) == (65, "said", "")

    def test_ok(self) -> None:
        """Without an error the process ends as ever."""
        assert (
            run("from techboy import exit_status; exit_status.set_exit_status(exit_status.OK)").returncode
            == 0
        )

    def test_later_exit(self) -> None:
        """It holds although the program says itself that it ends well, as twist does."""
        ended = run("from techboy import exit_status; exit_status.set_exit_status(69); raise SystemExit(0)")
        assert ended.returncode == 69

    @needs_shell
    @pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
    def test_closed(self, redirection: str) -> None:
        """It holds where standard output or error was closed."""
        assert (
            run("from techboy import exit_status; exit_status.set_exit_status(74)", redirection).returncode
            == 74
        )

    @needs_shell
    @pytest.mark.parametrize("print_it", ["print('x')", "print('x', file=sys.stderr)"])
    def test_full(self, print_it: str) -> None:
        """It holds, and nothing else is said, where what was printed can't be written."""
        program = f"import sys; from techboy import exit_status; exit_status.set_exit_status(74); {print_it}"
        redirection = "2> /dev/full" if "stderr" in print_it else "> /dev/full"
        ended = run(program, redirection)
        assert (ended.returncode, ended.stdout, ended.stderr) == (74, "", "")

    def test_last_act(
        self,
        monkeypatch: pytest.MonkeyPatch,
        at_exit: list[Callable[[], object]],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """All that was printed is written before the end, and nothing happens after it."""
        statuses: list[int] = []
        monkeypatch.setattr(os, "_exit", statuses.append)
        with os.fdopen(os.dup(1), "w") as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            monkeypatch.setattr(sys, "stderr", None)
            stdout.write("said")
            exit_status.set_exit_status(exit_status.UNAVAILABLE)
            assert statuses == []
            [end] = at_exit
            end()
            assert capfd.readouterr().out == "said"
        assert statuses == [69]

    def test_nothing_to_do(self, at_exit: list[Callable[[], object]]) -> None:
        """Without an error nothing is done at the end."""
        exit_status.set_exit_status(exit_status.OK)
        assert at_exit == []


class EndWhateverComesTests:
    """The program ends with a status that no signal takes from it."""

    def test_signal(self) -> None:
        """It holds although a signal ends the program, as soon as all that was to be done is."""
        ended = run(
            "import signal; from twisted.application.app import _exitWithSignal\n"
            "from twisted.internet import reactor; from techboy import exit_status\n"
            "reactor.addSystemEventTrigger('before', 'shutdown', print, 'goodbye')\n"
            "exit_status.force_exit_status(reactor, 74)\n"
            "reactor.callWhenRunning(signal.raise_signal, signal.SIGTERM)\n"
            "reactor.run()\n"
            "_exitWithSignal(signal.SIGTERM)"
        )
        assert (ended.returncode, ended.stdout) == (74, "goodbye\n")


@pytest.mark.usefixtures("own_interrupt")
class OnInterruptTests:
    """Ctrl-C says goodbye."""

    def test_first(self) -> None:
        """The first one leaves, and the next one will end the process."""
        left: list[str] = []
        exit_status.handle_sigint(lambda: left.append("left"))
        signal.raise_signal(signal.SIGINT)
        assert left == ["left"]
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL

    @needs_signals
    def test_second(self) -> None:
        """The second one ends the process at once."""
        ended = run(
            "import signal; from techboy import exit_status\n"
            "exit_status.handle_sigint(lambda: print('goodbye', flush=True))\n"
            "signal.raise_signal(signal.SIGINT)\n"
            "signal.raise_signal(signal.SIGINT)\n"
            "print('never')"
        )
        assert (ended.returncode, ended.stdout) == (-signal.SIGINT, "goodbye\n")


class OnTerminateTests:
    """SIGTERM when the reactor stops already."""

    def test_each(self) -> None:
        """Each is told, and ends nothing by itself."""
        ended = run(
            "import signal; from techboy import exit_status\n"
            "exit_status.handle_sigterm(lambda: print('hurry', flush=True))\n"
            "signal.raise_signal(signal.SIGTERM)\n"
            "signal.raise_signal(signal.SIGTERM)\n"
            "print('the end')"
        )
        assert (ended.returncode, ended.stdout) == (0, "hurry\nhurry\nthe end\n")


class OnConsoleClosedTests:
    """A Windows console that is closed."""

    def test_events(self) -> None:
        """What ends the process is told, and Windows is kept waiting; Ctrl-C and Ctrl-Break are not meant."""
        told: list[str] = []
        handlers: list[Callable[[int], bool]] = []
        exit_status.on_console_closed(
            lambda: told.append("closed"), 0.05, lambda handler, add: handlers.append(handler)
        )
        [handler] = handlers
        before = time.monotonic()
        assert [handler(event) for event in (0, 1)] == [False, False]
        assert not told
        assert [handler(event) for event in (2, 5, 6)] == [True, True, True]
        assert told == ["closed"] * 3
        assert time.monotonic() - before >= 3 * 0.05

    @pytest.mark.skipif(sys.platform == "win32", reason="it may happen")
    def test_elsewhere(self) -> None:
        """Elsewhere it never happens."""
        exit_status.on_console_closed(lambda: pytest.fail("it did"))
