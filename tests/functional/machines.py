"""A machine for the commands of an operator, in a tree of its own, and a systemd that is none.

The commands are real, but for ``systemctl``, ``journalctl`` and ``loginctl``: these are small programs that
ask the test, which runs the units with `tests.functional.manager`. A command's paths below ``/opt``,
``/etc``, ``/run`` and ``/var`` are those of the tree, and the ports that it names are others that are free.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pexpect

from tests.children import ending_with, run
from tests.functional.manager import Manager, StartError, State, socket_of
from tests.functional.programs import DEADLINE, LOOPBACK, NULL, SHELL, EndedAtLast, free_port
from tests.functional.units import CHECKOUT, Places, Unit

PATIENCE = 300.0
"""Seconds that a command may take; one of them may have to build and download."""

SHOWN = "romeo: "
"""The prompt at which something is typed."""

PORTS = ("4444", "9464")
"""The ports that the documents name: Romeo's, and that of his metrics."""

_NOT_COPIED = (".*", "build", "dist", "*.egg-info", "__pycache__", "dropin.cache", "tests", "benchmarks")
_MOVED = re.compile(r"(?<![\w./~}-])/(opt|etc|run|var)\b")

_STAND_IN = """#!{python}
import json, os, socket, sys
with socket.create_connection(("{host}", {port})) as test:
    test.sendall(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]).encode() + b"\\n")
    status, text = json.loads(test.makefile().read())
print(text, end="")
sys.exit(status)
"""

Answer = tuple[int, str]
"""A command's exit status, and what it writes."""


class Machine(EndedAtLast):
    """A machine, or a user on it, without anything of Techboy but a checkout."""

    def __init__(self, root: Path, kind: str) -> None:
        self.root, self._ended = root, ExitStack()
        self.places = Places.of_user(root) if kind == "user" else Places.of_system(root)
        self.ports = {named: str(free_port()) for named in PORTS}
        units = {
            "user": self.places.configuration / "systemd" / "user",
            "system": root / "etc/systemd/system",
        }
        self.systemd = Systemd(self.places, units[kind], self.ports["4444"], [f"--{kind}"])
        self._ended.callback(self.systemd.close)
        for path in (self.places.home, self.places.runtime, root / "opt", units["system"]):
            path.mkdir(parents=True, exist_ok=True)
        self._checkout = root / "checkout"
        shutil.copytree(CHECKOUT, self._checkout, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        example = self._checkout / "contrib" / "techboy.toml"
        example.write_text(self.here(example.read_text()))
        self._environment = self._operators_environment()
        self._put_stand_ins()

    def close(self) -> None:
        """End everything."""
        self._ended.close()

    def here(self, text: str) -> str:
        """Return ``text`` with this machine's paths and ports."""
        for named, port in self.ports.items():
            text = re.sub(rf"\b{named}\b", port, text)
        return _MOVED.sub(lambda found: f"{self.root}/{found[1]}", text)

    def run(self, command: str) -> str:
        """Run ``command``, and return what it writes; it has to succeed."""
        done = run(
            [SHELL, "-c", self.here(command)],
            cwd=self._checkout,
            env=self._environment,
            stdin=NULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
        return str(done.stdout)

    def run_at_terminal(self, command: str, typed: Sequence[str]) -> None:
        """Run ``command`` at a terminal, type the lines at its prompt, and see it end well."""
        terminal = pexpect.spawn(
            SHELL,
            ["-c", self.here(command)],
            cwd=str(self._checkout),
            env=self._environment,
            encoding="utf-8",
            timeout=DEADLINE,
            preexec_fn=ending_with(os.getpid()),
        )
        try:
            for line in typed:
                terminal.expect_exact(SHOWN)
                terminal.send(f"{line}\r")
            terminal.expect(pexpect.EOF)
            terminal.wait()
        finally:
            terminal.close(force=True)
        assert terminal.exitstatus == 0, f"{command}: {terminal.exitstatus}\n{terminal.before}"
        if "/shutdown" in typed:  # nobody types the next command as fast as a test does
            self.systemd.see_ended("techboy-romeo.service")

    def _operators_environment(self) -> dict[str, str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TECHBOY_")}
        # pip goes on as it is set up on this machine, whose home is another
        for path in ("~/.config/pip/pip.conf", "~/.pip/pip.conf"):
            if Path(path).expanduser().exists():
                environment.setdefault("PIP_CONFIG_FILE", str(Path(path).expanduser()))
        environment.setdefault("PIP_CACHE_DIR", str(Path("~/.cache/pip").expanduser()))
        return environment | {
            "PATH": f"{self.root / 'stand-ins'}:{os.environ['PATH']}",
            "HOME": str(self.places.home),
            "XDG_RUNTIME_DIR": str(self.places.runtime),
            "TERM": "dumb",  # what is shown is waited for as text
            "LANG": "C.UTF-8",
        }

    def _put_stand_ins(self) -> None:
        server = _Server((LOOPBACK, 0), self.systemd.answer)
        self._ended.callback(server.server_close)
        self._ended.callback(server.shutdown)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        folder = self.root / "stand-ins"
        folder.mkdir()
        text = _STAND_IN.format(python=sys.executable, host=LOOPBACK, port=server.server_address[1])
        for name in ("systemctl", "journalctl", "loginctl"):
            _write_program(folder / name, text)
        _write_program(folder / "python3", f'#!{SHELL}\nexec "{sys.executable}" "$@"\n')


class Systemd:
    """What is asked of a service manager with ``systemctl`` and the like, whose units are in ``folder``.

    ``port`` stands for the one that is taken where nothing else is said. ``ways`` are the options by which
    this service manager is meant, and not another.
    """

    def __init__(self, places: Places, folder: Path, port: str, ways: Sequence[str]) -> None:
        self._places, self._folder, self._port, self._ways = places, folder, port, ways
        self._loaded: dict[str, Path] = {}
        self._managers: dict[str, Manager] = {}
        self._sockets: dict[str, socket.socket] = {}
        self._loads = 0

    def answer(self, words: Sequence[str]) -> Answer:
        """Do what the command of these ``words`` asks for."""
        name, *arguments = words
        if name == "loginctl":
            return (0, "") if arguments == ["enable-linger"] else (1, f"no such thing: {arguments}\n")
        if "--user" in arguments or "--user" in self._ways:
            if not ("--user" in arguments and "--user" in self._ways):
                return 1, "it is for the other service manager\n"
            arguments.remove("--user")
        try:
            return self._journal(*arguments) if name == "journalctl" else self._control(*arguments)
        except (StartError, LookupError) as refused:
            return 1, f"{refused}\n"

    def see_ended(self, name: str) -> None:
        """Return as soon as the service ``name`` has ended."""
        self._managers[name].until(State.INACTIVE, State.FAILED)

    def close(self) -> None:
        """End everything."""
        for manager in self._managers.values():
            manager.close()
        for opened in self._sockets.values():
            opened.close()

    def _journal(self, option: str, unit: str, option_of_lines: str, lines: str) -> Answer:
        assert (option, option_of_lines) == ("-u", "-n"), "journalctl is asked for something else"
        manager = self._managers[_full_name(unit)]
        return 0, "".join(manager.journal.read_text().splitlines(keepends=True)[-int(lines) :])

    def _control(self, verb: str, *arguments: str) -> Answer:
        if verb == "daemon-reload":
            self._load()
            return 0, ""
        names = [_full_name(word) for word in arguments if word != "--now"]
        for name in names:
            if name not in self._loaded:
                return 5, f"Unit {name} not found: is it installed, and was there a daemon-reload?\n"
        if verb == "status":
            return self._status(*names)
        if verb in ("enable", "disable"):
            assert "--now" in arguments, "it would take effect when the machine is started"
            verb = "start" if verb == "enable" else "stop"
        works: dict[str, Callable[[str], None]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "reload": lambda name: self._managers[name].reload(),
        }
        for name in names:
            works[verb](name)
        return 0, ""

    def _load(self) -> None:
        """Read all units, which are as they are now until this is done again."""
        self._loads += 1
        folder = self._folder.with_name(f"loaded-{self._loads}")
        shutil.copytree(self._folder, folder)
        self._loaded = {path.name: path for path in folder.iterdir()}

    def _status(self, name: str) -> Answer:
        unit, manager = Unit(self._loaded[name], self._places), self._managers.get(name)
        state = State.INACTIVE if manager is None else manager.state
        active = "active (running)" if state is State.ACTIVE else state.name.lower()
        lines = [f"● {name} - {unit.get('Unit', 'Description')}", f"     Active: {active}"]
        if manager is not None:
            lines += [f'     Status: "{manager.status}"', "", manager.said]
        return (0 if state is State.ACTIVE else 3), "\n".join(lines) + "\n"

    def _start(self, name: str) -> None:
        if name.endswith(".socket"):
            service = name.replace(".socket", ".service")
            if service in self._managers and self._managers[service].state is State.ACTIVE:
                raise StartError(f"Socket service {service} already active, refusing.")
            self._sockets[service] = socket_of(self._loaded[name], self._places, int(self._port))
            return
        manager = self._managers.get(name)
        if manager is None:
            manager = self._managers[name] = self._manager(name)
        if manager.state is not State.ACTIVE:
            self._set_up(manager, name)
            manager.start()

    def _stop(self, name: str) -> None:
        if name.endswith(".socket"):
            self._sockets.pop(name.replace(".socket", ".service")).close()
        elif name in self._managers:
            self._managers[name].stop()

    def _restart(self, name: str) -> None:
        self._stop(name)
        self._start(name)

    def _manager(self, name: str) -> Manager:
        path = self._loaded[name]
        command = Unit(path, self._places).get("Service", "ExecStart").split()
        return Manager(path, self._places, twist=self._places.moved(command[0]))

    def _set_up(self, manager: Manager, name: str) -> None:
        """Let it be started as its unit says now; who has a socket is not told of a port."""
        manager.unit = Unit(self._loaded[name], self._places)
        manager.listeners = [opened for service, opened in self._sockets.items() if service == name]
        program = name.removeprefix("techboy-").removesuffix(".service").upper()
        manager.environment = {} if manager.listeners else {f"TECHBOY_{program}_PORT": self._port}


class _Server(ThreadingTCPServer):
    """Where the stand-ins ask."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], answer: Callable[[Sequence[str]], Answer]) -> None:
        super().__init__(address, _Question)
        self.answer = answer


class _Question(StreamRequestHandler):
    """One command."""

    server: _Server

    def handle(self) -> None:
        """Do what it asks for."""
        words = json.loads(self.rfile.readline())
        try:
            answer = self.server.answer(words)
        except Exception as unforeseen:
            answer = 1, f"{words}: {unforeseen!r}\n"
        with suppress(BrokenPipeError):
            self.wfile.write(json.dumps(answer).encode())


def _full_name(unit: str) -> str:
    return unit if "." in unit else f"{unit}.service"


def _write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
