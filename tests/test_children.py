"""Tests of what starts programs for tests and benchmarks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from tests.children import run, start
from tests.marks import needs_signals

CHECKOUT = Path(__file__).parents[1]
PATIENCE = 10.0
SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]

RUNNER = """
import sys, time
from tests.children import start
child = start([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""

IGNORING = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""

# what starts a program by another way than that of `tests.children`
OTHERS = re.compile(
    r"subprocess[.](?:Popen|run|call|check_call|check_output)\(|create_subprocess|os[.](?:fork|spawn|system|popen)"
)


def comes_true(condition: Callable[[], bool]) -> bool:
    """Wait until ``condition`` is true; return whether it became so in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)  # other processes make it true, and do not say when
    return True


def is_gone(pid: int) -> bool:
    """Tell whether the process with that number does not run any more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
class StartTests:
    """`start`."""

    @pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
    def test_ends_with_parent(self, name: str) -> None:
        """A program ends when whoever started it is killed, though it leads a session of its own."""
        command = [sys.executable, "-c", RUNNER]
        with start(command, stdout=subprocess.PIPE, cwd=CHECKOUT, text=True) as runner:
            assert runner.stdout is not None
            child = int(runner.stdout.readline())
            assert not is_gone(child)
            runner.send_signal(getattr(signal, name))
        assert comes_true(lambda: is_gone(child))

    def test_outlives_thread(self) -> None:
        """It does not end with the thread that asked for it."""
        started: list[subprocess.Popen[str]] = []
        thread = Thread(target=lambda: started.append(start(SLEEP, stdout=subprocess.PIPE, text=True)))
        thread.start()
        thread.join()
        with started[0] as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "here\n"
            assert child.poll() is None
            child.kill()


class RunTests:
    """`run`."""

    def test_done(self) -> None:
        """It returns status and output."""
        command = [sys.executable, "-c", "import sys; print('a'); print('b', file=sys.stderr); sys.exit(3)"]
        done = run(command, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (3, "a\n", "b\n")
        with pytest.raises(subprocess.CalledProcessError):
            run(command, capture_output=True, check=True)

    def test_too_long(self) -> None:
        """What takes too long is ended."""
        with pytest.raises(subprocess.TimeoutExpired):
            run(SLEEP, stdout=subprocess.DEVNULL, timeout=0.1)


@needs_signals
class SignalTests:
    """What programs under test do about signals."""

    def test_default(self) -> None:
        """Nothing is ignored, also where the tests were started by nohup or in the background."""
        code = "import signal; print(signal.SIG_IGN in map(signal.getsignal, (signal.SIGHUP, signal.SIGINT)))"
        assert run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"

    def test_ignored(self) -> None:
        """That holds for tests that are started so."""
        tests = ["-m", "pytest", "-q", "-p", "no:xdist", "-k", "test_default", __file__]
        command = [sys.executable, "-c", IGNORING, *tests]
        done = run(command, cwd=CHECKOUT, capture_output=True, text=True, env=_outer_environment())
        assert done.returncode == 0, done.stdout


class SourceTests:
    """Where programs are started."""

    @pytest.mark.parametrize("folder", ["tests", "benchmarks"])
    def test_one_way(self, folder: str) -> None:
        """All are started so that they end with whoever started them."""
        others = {
            path.relative_to(CHECKOUT).as_posix(): found
            for path in CHECKOUT.glob(f"{folder}/**/*.py")
            if path.name not in ("children.py", "test_children.py")
            and (found := OTHERS.findall(path.read_text("utf-8")))
        }
        # programs of a test's own, which have to have children
        others.pop("tests/functional/test_manager.py", None)
        others.pop("tests/functional/test_wine.py", None)
        assert others == {}


def _outer_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
