"""Tests of what is shipped for operators: the units for systemd, and the example of a configuration."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.children import run
from tests.functional.programs import DEADLINE, LOOPBACK, NULL, TWIST, Programs
from tests.functional.units import CHECKOUT, SHIPPED, Places, Unit

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ANALYZE = shutil.which("systemd-analyze")
NAMES = ("techboy-romeo.service", "techboy-romeo.socket", "techboy-juliet.service")
SERVICES = ("techboy-romeo.service", "techboy-juliet.service")
INSTALLED = Path("usr", "lib", "systemd", "system")
EXAMPLE = CHECKOUT / "contrib" / "techboy.toml"

EXPOSURE = 2.0
"""What `systemd-analyze security` may say at most, from 0 to 10."""

ALTERNATIVES = {"romeo": "listen", "juliet": "socket"}
"""An option of the example, for each program, that does not go with the others there."""

needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="systemd is not installed")


def analyze(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Return what systemd-analyze says, for a user at ``home``."""
    assert ANALYZE is not None
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    return run(
        [ANALYZE, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        stdin=NULL,
    )


def executable(path: Path) -> None:
    """Make a program that does nothing, as nobody will start it."""
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return the root of a machine with our units, the programs that they name, and systemd's own units."""
    executable(tmp_path / "opt" / "techboy" / "bin" / "twist")
    executable(tmp_path / "bin" / "kill")
    shutil.copytree("/" / INSTALLED, tmp_path / INSTALLED, symlinks=True)
    shutil.copytree(SHIPPED / "system", tmp_path / "etc" / "systemd" / "system")
    return tmp_path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the home of a user who has our units, and the programs that they name."""
    executable(tmp_path / ".local" / "share" / "techboy" / "bin" / "twist")
    shutil.copytree(SHIPPED / "user", tmp_path / ".config" / "systemd" / "user")
    return tmp_path


@needs_analyze
class AnalyzedTests:
    """What systemd itself thinks of the units; no systemd has to run for that."""

    @pytest.mark.parametrize("name", NAMES)
    def test_system(self, machine: Path, name: str) -> None:
        """It finds nothing to say about a machine's units."""
        verified = analyze("verify", f"--root={machine}", name, home=machine)
        assert (verified.returncode, verified.stderr) == (0, "")

    @pytest.mark.parametrize("name", NAMES)
    def test_user(self, home: Path, name: str) -> None:
        """It finds nothing to say about a user's units."""
        path = home / ".config" / "systemd" / "user" / name
        verified = analyze("--user", "verify", path, home=home)
        assert (verified.returncode, verified.stderr) == (0, "")

    def test_mistake(self, machine: Path) -> None:
        """It would find something: this looks at our files, not at something else."""
        path = machine / "etc" / "systemd" / "system" / NAMES[0]
        path.write_text(path.read_text().replace("ProtectClock=", "ProtectTime="))
        verified = analyze("verify", f"--root={machine}", NAMES[0], home=machine)
        assert "Unknown key 'ProtectTime' in section [Service]" in verified.stderr

    @pytest.mark.parametrize("name", SERVICES)
    def test_exposure(self, tmp_path: Path, name: str) -> None:
        """A machine's services can do little harm."""
        said = analyze("security", "--offline=yes", "--no-pager", SHIPPED / "system" / name, home=tmp_path)
        found = re.search(rf"Overall exposure level for {re.escape(name)}: ([\d.]+) ", said.stdout)
        assert found is not None, said
        assert float(found[1]) < EXPOSURE


class UnitTests:
    """What the units promise to the programs, and the documents of them."""

    @pytest.mark.parametrize("kind", ["system", "user"])
    @pytest.mark.parametrize("name", SERVICES)
    def test_service(self, kind: str, name: str) -> None:
        """The service manager hears the program alone, and starts it again unless that can't help."""
        unit = Unit(SHIPPED / kind / name, Places.of_system(Path("/")))
        expected = {
            "Type": "notify",
            "NotifyAccess": "main",
            "Restart": "on-failure",
            "RestartPreventExitStatus": "64 78",
            "TimeoutStopSec": "10",
            "UMask": "0077",
            "ExecReload": "/bin/kill -HUP $MAINPID",
            "StateDirectory": name.removesuffix(".service"),
        }
        assert {key: unit.get("Service", key) for key in expected} == expected
        assert unit.seconds("Service", "WatchdogSec") == 30
        [file] = unit.all("Service", "EnvironmentFile")
        assert file.startswith("-")

    @pytest.mark.parametrize("name", SERVICES)
    def test_user_may_do_no_more(self, name: str) -> None:
        """What a user's service manager can take away, ours takes away as the machine's does."""
        places = Places.of_system(Path("/"))
        system, user = (Unit(SHIPPED / kind / name, places) for kind in ("system", "user"))
        for key in (
            "NoNewPrivileges",
            "RestrictAddressFamilies",
            "RestrictNamespaces",
            "RestrictRealtime",
            "RestrictSUIDSGID",
            "LockPersonality",
            "MemoryDenyWriteExecute",
            "SystemCallArchitectures",
            "SystemCallFilter",
        ):
            assert user.all("Service", key) == system.all("Service", key) != []

    def test_socket(self) -> None:
        """The machine's port and a user's are the same, and Romeo's own."""
        system, user = ((SHIPPED / kind / "techboy-romeo.socket").read_text() for kind in ("system", "user"))
        assert system == user
        assert "\nListenStream=4444\n" in system


def uncommented(program: str) -> dict[str, object]:
    """Return what the example would say to ``program`` if nothing were commented out."""
    text = re.sub(r"(?m)^#(?=[a-z-]+ = )", "", EXAMPLE.read_text())
    table: dict[str, object] = tomllib.loads(text)[program]
    return table


def allowed(name: str) -> set[str]:
    """Return the system calls of the set ``name``, or of the unit's filter of that name."""
    assert ANALYZE is not None
    listed = run([ANALYZE, "syscall-filter", name], capture_output=True, text=True, check=True)
    words = [line.strip() for line in listed.stdout.splitlines()[1:]]
    sets = [allowed(word) for word in words if word.startswith("@")]
    return {word for word in words if word[:1].isalpha()}.union(*sets)


def can_trace() -> bool:
    """Tell whether strace is here, and may do what it is for."""
    strace = shutil.which("strace")
    return strace is not None and run([strace, "true"], capture_output=True, check=False).returncode == 0


@needs_analyze
@pytest.mark.skipif(not can_trace(), reason="strace is not installed, or not allowed to work")
class SandboxTests:
    """What the programs do is what the units let them do."""

    EXPECTED_OF_ROOT = frozenset({"fchown"})
    """What SQLite does as root alone, and does without where it is refused."""

    @pytest.fixture
    def trace(self, programs: Programs) -> str:
        """Return what is asked of the kernel by a Romeo who keeps what is said, and a Juliet who says it."""
        traces = [programs.folder / "romeo.trace", programs.folder / "juliet.trace"]
        romeo_line, juliet_line = (["strace", "-f", "-qq", "-o", str(trace), str(TWIST)] for trace in traces)
        romeo = programs.start(
            *romeo_line,
            "romeo",
            "--host",
            LOOPBACK,
            "--port",
            "0",
            "--state",
            "romeo",
            stdin=NULL,
            stdout=NULL,
        )
        juliet = programs.start(
            *juliet_line, "juliet", "--host", "localhost", "--port", str(romeo.port), "--state", "juliet"
        )
        juliet.writes("good morrow\n")
        juliet.end_input()
        assert juliet.ends() == 0
        [traced] = Path(f"/proc/{romeo.process.pid}/task/{romeo.process.pid}/children").read_text().split()
        os.kill(int(traced), SIGTERM)
        romeo.ends()
        return "".join(trace.read_text() for trace in traces)

    def test_system_calls(self, trace: str) -> None:
        """The filter allows every system call; no memory is to be written to and run; families are known."""
        unit = Unit(SHIPPED / "system" / SERVICES[0], Places.of_system(Path("/")))
        filters = " ".join(unit.all("Service", "SystemCallFilter"))
        assert filters == "@system-service ~@privileged @resources"
        permitted = allowed("@system-service") - allowed("@privileged") - allowed("@resources")
        called = set(re.findall(r"(?m)^\d+ +(\w+)\(", trace))
        assert len(called) > 30
        assert called - permitted - self.EXPECTED_OF_ROOT == set()
        assert not re.search("PROT_WRITE[|]PROT_EXEC", trace)
        families = set(re.findall(r" socket\((AF_\w+)", trace))
        permitted_families = unit.get("Service", "RestrictAddressFamilies").split()
        assert (
            {"AF_INET"} <= families <= {*permitted_families, "AF_NETLINK"}
        )  # which getaddrinfo can do without


class KnownTests:
    """Options in what is shipped are options of the programs."""

    @pytest.mark.parametrize("kind", ["system", "user"])
    @pytest.mark.parametrize("name", SERVICES)
    def test_commands(self, programs: Programs, kind: str, name: str) -> None:
        """The programs take the units' command lines."""
        unit = Unit(SHIPPED / kind / name, Places.of_system(programs.folder))
        _, *words = unit.command("ExecStart", {})
        program = programs.start(TWIST, *words, "--check", stdin=NULL)
        assert program.output.everything().decode().endswith("the configuration is valid\n")
        assert program.ends() == 0

    @pytest.mark.parametrize("program", ["romeo", "juliet"])
    def test_example(self, programs: Programs, program: str) -> None:
        """The programs take all that the example says, also where it is commented out."""
        said = uncommented(program)
        assert len(said) >= 10
        (programs.folder / "motd").write_text("hello\n")
        alternative = {ALTERNATIVES[program]: said.pop(ALTERNATIVES[program])}
        for number, table in enumerate([said, alternative]):
            lines = [f"{key} = {_toml(value, programs.folder)}\n" for key, value in table.items()]
            path = programs.file(f"{number}.toml", f"[{program}]\n{''.join(lines)}")
            checking = programs.twist(program, "--check", "--config", str(path), stdin=NULL)
            assert checking.output.everything().decode().endswith("the configuration is valid\n")
            assert checking.ends() == 0

    def test_example_as_it_is(self) -> None:
        """Whoever copies the example has changed nothing."""
        assert tomllib.loads(EXAMPLE.read_text()) == {"romeo": {}, "juliet": {}}


def _toml(value: object, etc: Path) -> str:
    """Return ``value`` as TOML; files that have to be there are in ``etc``."""
    if isinstance(value, list):
        return f"[{', '.join(_toml(each, etc) for each in value)}]"
    if isinstance(value, str):
        return f'"{value.replace("/etc/techboy", str(etc))}"'
    return str(value).lower()
