"""The programs of a simulation: a real server, and real clients with people at their keyboards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from techboy.client.service import ChatClient
from techboy.config import reactor
from techboy.juliet import Options as JulietOptions
from techboy.romeo import Options as RomeoOptions
from techboy.server import storage_service
from techboy.server.service import RoomServer
from techboy.terminal.interface import InputSource
from tests.programs import Running
from tests.simulation.network import SimulatedConnection
from tests.simulation.reactor import SimulatedReactor
from tests.simulation.storage import Storage
from tests.simulation.truth import TAG

if TYPE_CHECKING:
    from tests.simulation.world import World

SERVER_LINE, CLIENT_LINE = 200, 400
"""Bytes in a line at most: a client takes some lines that the server refuses."""

PING, DEAD, STALL, GRACE = 5, 12, 8, 30
PLACES = 12


class Process:
    """A program that is started, killed and ended, any number of times."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.running: Running | None = None
        self.reactor = SimulatedReactor(world)
        self.reactor.alive = False
        self.connections: dict[SimulatedConnection, None] = {}
        self._stopped: Any = None
        self.lines = 0

    # what a subclass defines

    def _begin(self) -> Running:
        raise NotImplementedError

    def _release(self) -> None:
        """Let go of files, as the kernel does when a process ends."""
        raise NotImplementedError

    # what the world calls

    @property
    def is_up(self) -> bool:
        """Whether the process is there."""
        return self.running is not None

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to end."""
        return self._stopped is not None

    def start(self) -> None:
        """Start the program."""
        assert self.running is None
        self.reactor = SimulatedReactor(self.world)
        reactor.steady(self.reactor, self.world.monotonic)
        self._stopped = None
        self.running = self._begin()
        self.running.start()

    def kill(self) -> None:
        """End the process at once: the kernel closes what it had open."""
        if self.running is not None:
            self._end()
            self._release()
            self.running = None

    def stop(self) -> None:
        """Tell the program to end, as SIGTERM does."""
        if self.running is not None and self._stopped is None:
            self._stopped = self.running.stop()
            self.look()

    def look(self) -> None:
        """See what has become of the program in its last turn."""
        running = self.running
        if running is None:
            return
        if running.reactor.stops and self._stopped is None:
            self.stop()
        elif self._stopped is not None and self._stopped.called:
            self._ended(running)
            self._end()
            self.running = None

    def type(self, text: str) -> bool:
        """Type ``text`` and Enter; return whether the program reads now."""
        if self.running is None or self._stopped is not None or not self.running.terminal.reading:
            return False
        self.running.terminal.receive(f"{text}\n".encode())
        return True

    def say(self, texts: list[str]) -> bool:
        """Type lines, which are numbered here; return whether they were read."""
        return self.type("\n".join(map(self.tagged, texts)))

    def tagged(self, text: str) -> str:
        """Return ``text`` as the next line of this person."""
        self.lines += 1
        return self.world.truth.tagged(self.name, self.lines, text)

    def see(self) -> None:
        """Let the screen show everything."""
        if self.running is not None:
            self.running.terminal.flush()

    def _ended(self, running: Running) -> None:
        """The program has ended in good order."""

    def _end(self) -> None:
        self.reactor.alive = False
        for connection in list(self.connections):
            if connection.connected:
                connection.socket.close()
        self.connections.clear()
        self.world.unlisten(self.reactor)


class Server(Process):
    """Romeo: for many, or for one (``direct``)."""

    def __init__(self, world: World, arguments: list[str], directory: Path | None, *, direct: bool) -> None:
        super().__init__(world, "r1")
        self.direct, self.directory, self._arguments = direct, directory, arguments
        self.storage = Storage()

    @property
    def program(self) -> Any:
        """The service."""
        assert self.running is not None
        return self.running.program

    def _begin(self) -> Running:
        disk = self.storage.disk
        self.storage = Storage()
        self.storage.disk = disk
        words = ["--host", "127.0.0.1", "--name", "romeo", "--output", "json", "--max-line", str(SERVER_LINE)]
        words += [
            "--ping-interval",
            str(PING),
            "--ping-timeout",
            str(DEAD),
            "--send-timeout",
            str(STALL),
            "--resume-timeout",
            str(GRACE),
        ]
        words += ["--socket", "/run/romeo.sock"]
        words += ["--keep-open"] if self.direct else ["--guests", str(PLACES)]
        words += [] if self.directory is None else ["--state", str(self.directory)]
        with self.world.patched(
            storage_service, ThreadExecutor=lambda _: self.storage, InlineExecutor=lambda: self.storage
        ):
            running = Running(
                RoomServer,
                RomeoOptions(),
                [*words, *self._arguments],
                InputSource.PERSON,
                reactor=self.reactor,
                wall=self.world.wall,
            )
        at_home = running.program.storage
        logs = at_home.logs
        _close_once(logs)
        if at_home._state_dir is not None:
            _close_once(at_home._state_dir)
        if self.directory is not None:
            self.world.truth.reopened(logs)
        self.world.truth.watch(logs)
        self._watch_moves(running.program.storage.chat)
        return running

    def _watch_moves(self, chat: Any) -> None:
        move = chat.move

        def moved(member: Any, name: str) -> None:
            self.world.moved.add(member.connection)
            move(member, name)

        chat.move = moved

    def _release(self) -> None:
        at_home = self.program.storage
        at_home.logs.close()
        if at_home._state_dir is not None:
            at_home._state_dir.close()

    def _ended(self, running: Running) -> None:
        self._release()  # a program whose disk hung has left that to the kernel


def _close_once(place: Any) -> None:
    """Let only the first call of ``close`` do something: a second one may close what others opened since."""
    close = place.close

    def closed() -> None:
        place.close = lambda: None
        close()

    place.close = closed


class Client(Process):
    """Juliet, with somebody at her keyboard. ``directory``: where she keeps her state, if anywhere."""

    def __init__(
        self, world: World, name: str, nickname: str, directory: Path | None, port: int | str
    ) -> None:
        super().__init__(world, name)
        self.nickname, self.directory, self._port = nickname, directory, port
        self.snapshot: Path | None = None
        self.required: dict[int, str] = {}
        """Lines that have to be stored in the end, by number."""
        self.shown: dict[str, int] = {}
        """How often each line was shown, by its text."""
        self.sessions = 1
        """How many there were, if not more: a new one may be shown again what an earlier one was."""
        self.shown_to_a_killed_screen = False
        self._read = 0

    @property
    def program(self) -> Any:
        """The service."""
        assert self.running is not None
        return self.running.program

    @property
    def required_is_stored(self) -> bool:
        """Whether nothing waits to be sent."""
        return all(self.world.truth.places((self.name, number)) for number in self.required)

    def look(self) -> None:
        """See what has become of the program in its last turn."""
        self._note_unnumbered()
        super().look()

    def _note_unnumbered(self) -> None:
        """Lines that are sent in plain text have no numbers, and promise nothing."""
        if self.running is not None and self.program._dialect.name == "PLAIN":
            self.give_up_on_lost_lines()

    def give_up_on_lost_lines(self, *, kept: bool = False) -> None:
        """Require no more of lines that are not stored and not ``kept``; the others may come in any order."""
        truth = self.world.truth
        self.required = {
            number: text
            for number, text in self.required.items()
            if kept or truth.places((self.name, number))
        }
        truth.relaxed[self.name] = self.lines

    def roll_back(self) -> None:
        """Put an earlier copy of the directory back, or make one if there is none."""
        assert self.directory is not None
        assert self.running is None
        if self.snapshot is None:
            if self.directory.exists():
                self.snapshot = self.directory.with_name(f"{self.directory.name}.copy")
                shutil.copytree(self.directory, self.snapshot)
            return
        shutil.rmtree(self.directory)
        self.snapshot.rename(self.directory)
        self.snapshot = None
        self.give_up_on_lost_lines()
        self.shown_to_a_killed_screen = True

    def see(self) -> None:
        """Let the screen show everything, and read it."""
        super().see()
        if self.running is None:
            return
        sent = self.running.terminal.sent
        *lines, _ = sent[self._read :].split(b"\n")
        for line in lines:
            self._read += len(line) + 1
            if line.startswith(b"{"):
                text = json.loads(line)["text"]
                self.shown[text] = self.shown.get(text, 0) + 1

    def _begin(self) -> Running:
        self._read = 0
        if self.directory is None:
            self.shown, self.sessions = {}, 1
        words = ["--name", self.nickname, "--output", "json", "--max-line", str(CLIENT_LINE)]
        words += ["--socket", self._port] if isinstance(self._port, str) else ["--host", "127.0.0.1"]
        words += ["--ping-interval", str(PING), "--ping-timeout", str(DEAD)]
        words += [] if self.directory is None else ["--state", str(self.directory)]
        running = Running(
            ChatClient,
            JulietOptions(),
            words,
            InputSource.PERSON,
            reactor=self.reactor,
            wall=self.world.wall,
            spread=lambda: self.world.chance.uniform(0.5, 1.0),
        )
        self._watch_outbox(running.program.outbox)
        self._watch_sessions(running.program._kept.client_session)
        return running

    def _watch_sessions(self, client_session: Any) -> None:
        welcomed = client_session.welcomed

        def counted(*welcome: Any) -> bool:
            existed = client_session.exists
            same = bool(welcomed(*welcome))
            self.sessions += existed and not same
            return same

        client_session.welcomed = counted

    def _watch_outbox(self, outbox: Any) -> None:
        add = outbox.add

        def added(text: str, *how: Any, **named: Any) -> bool:
            taken = bool(add(text, *how, **named))
            for line in text.split("\n") if taken else ():
                found = TAG.search(line)
                if found and len(line.encode()) <= SERVER_LINE:
                    self.required[int(found[2])] = line
            return taken

        outbox.add = added

    def kill(self) -> None:
        """End the process at once; without a directory, what waited to be sent is lost."""
        if self.running is not None:
            self.see()
            self._note_unnumbered()
            self.shown_to_a_killed_screen = True
        super().kill()
        if self.directory is None:
            self.give_up_on_lost_lines()

    def _ended(self, running: Running) -> None:
        self.see()
        if self.directory is None or self.world.server.directory is None:
            # a server without a directory may forget a session that said goodbye: its lines come again
            self.give_up_on_lost_lines(kept=self.directory is not None)

    def _release(self) -> None:
        self.program._kept.close()
