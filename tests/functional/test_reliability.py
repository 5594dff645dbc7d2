"""Nothing that was accepted is lost, doubled or reordered, whatever becomes of programs and connections."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit
from signal import SIGCONT, SIGSTOP, SIGTERM

import pytest

from techboy.exit_status import IO_ERROR
from tests.functional.programs import (
    LOOPBACK,
    NULL,
    SHELL,
    TWIST,
    Program,
    Programs,
    free_port,
    kept,
    refusal,
    wait_until,
)

LINES = 100_000


def numbered(first: int, end: int, words: str = "wherefore art thou, Roméo?") -> str:
    """Return lines with the numbers from ``first`` to before ``end``."""
    return "".join(f"{number:06} {words}\n" for number in range(first, end))


class House:
    """A Romeo of many who keeps what is said, and a Juliet who was in his room all along."""

    def __init__(self, programs: Programs, port: int = 0) -> None:
        self._programs = programs
        self._heard = programs.folder / "heard"
        self._start(port)
        self.port = self.romeo.port
        options = ["--output", "bare", "--name", "witness"]
        self.on_delivery = programs.juliet(self.port, *options, stdout=self._heard)
        self.on_delivery.states("Connected to romeo")

    def restart(self) -> None:
        """Kill Romeo, and start him again where he was."""
        self.romeo.kill()
        self._start(self.port)

    @property
    def heard(self) -> bytes:
        """What the witness heard so far."""
        return self._heard.read_bytes()

    def hears(self, text: str) -> None:
        """See the witness hear exactly ``text``, from the first line on."""
        expected = text.encode()
        wait_until(lambda: len(self.heard) >= len(expected))
        self.on_delivery.end_input()
        assert self.on_delivery.ends() == 0
        assert self.heard == expected

    def _start(self, port: int) -> None:
        options = ["--state", "romeo", "--rate", "0"]
        self.romeo = self._programs.romeo(*options, port=port, stdin=NULL, stdout=NULL)


class KilledTests:
    """Programs that are ended by `kill -9`."""

    def test_romeo(self, programs: Programs) -> None:
        """A Romeo who is killed while a file is said to him, and started again, has all of it."""
        text = numbered(0, LINES)
        chat = House(programs)
        sender = programs.juliet(chat.port, stdin=programs.file("file", text), stdout=NULL)
        for part in (0.1, 0.5):
            wait_until(lambda: len(chat.heard) > part * len(text))  # noqa: B023 - it is called in this turn only
            chat.restart()
        assert sender.ends() == 0
        chat.hears(text)

    def test_juliet_who_has_read_everything(self, programs: Programs) -> None:
        """What a Juliet has read is kept when she is killed, and said when she is started again."""
        text, port, state = numbered(0, LINES), free_port(), programs.folder / "juliet"
        juliet = programs.juliet(port, "--state", str(state), stdin=programs.file("file", text))
        wait_until(lambda: kept(state) == LINES)
        juliet.kill()
        chat = House(programs, port)
        juliet = programs.juliet(port, "--state", str(state))
        juliet.end_input()
        juliet.states(f"* {LINES} lines are kept from the last time\n")
        assert juliet.ends() == 0
        assert kept(state) == 0
        chat.hears(text)

    def test_juliet_who_still_reads(self, programs: Programs) -> None:
        """What arrives then is the beginning of the file, and she says how much she had kept."""
        chat, state = House(programs), programs.folder / "juliet"
        juliet = programs.juliet(chat.port, "--state", str(state))
        juliet.writes(numbered(0, 10_000))
        wait_until(lambda: len(chat.heard) > 100_000)
        chat.romeo.signal(SIGSTOP)
        juliet.writes(numbered(10_000, 40_000))
        wait_until(lambda: kept(state) > 0)
        juliet.kill()
        chat.romeo.signal(SIGCONT)
        lines = kept(state)
        juliet = programs.juliet(chat.port, "--state", str(state))
        juliet.end_input()
        juliet.states(f"* {lines} lines are kept from the last time\n")
        assert juliet.ends() == 0
        arrived = chat.heard.count(b"\n")
        assert arrived >= 10_000
        chat.hears(numbered(0, arrived))

    def test_members_of_romeo(self, programs: Programs) -> None:
        """A Romeo who is killed knows topics, nicknames and who is ignored when he is started again."""
        chat = House(programs)
        nurse, paris = (programs.native_caller(chat.port) for _ in range(2))
        tokens = []
        for guest, name in ((nurse, "nurse"), (paris, "paris")):
            guest.tells({"type": "hello", "version": 1, "name": name})
            tokens.append(guest.told("welcome")["session"])
        for command in (["nick", "angelica"], ["ignore", "paris"], ["topic", "two households"]):
            nurse.tells({"type": "command", "name": command[0], "args": command[1:]})
        wait_until(lambda: nurse.told("notice")["text"] == "angelica changed the topic: two households")
        chat.restart()
        port = chat.romeo.port
        back = programs.native_caller(port)
        back.tells({"type": "hello", "version": 1, "name": "nurse", "session": tokens[0]})
        assert back.told("welcome")["name"] == "angelica"
        paris = programs.native_caller(port)
        paris.tells({"type": "hello", "version": 1, "name": "paris", "session": tokens[1]})
        paris.tells({"type": "message", "kind": "text", "text": "lady", "seq": 1})
        paris.told("ack")
        plain = programs.caller(port)
        plain.hears("* topic: two households\n")
        plain.says("well\n")
        assert back.told("message")["text"] == "well"


class PutBackTests:
    """A state directory that is put back to an earlier copy of it."""

    DISAGREE = "* romeo and this client disagree about what is stored"

    def test_client(self, programs: Programs) -> None:
        """Lines that the client was given after that are all stored, and it says that it sends them again."""
        folder, chat = programs.folder, House(programs)
        self.say(programs, chat.port, "before\n")
        shutil.copytree(folder / "juliet", folder / "copy")
        self.say(programs, chat.port, "1\n2\n3\n4\n5\n")
        chat.romeo.kill()
        shutil.rmtree(folder / "juliet")
        (folder / "copy").rename(folder / "juliet")
        offline = programs.juliet(chat.port, "--state", "juliet", stdin=programs.file("script", "a\nb\nc\n"))
        wait_until(lambda: kept(folder / "juliet") == 3)
        offline.kill()
        chat.restart()
        errors = self.say(programs, chat.port, "")
        assert errors.count(self.DISAGREE) == 1
        assert "; 3 lines will be sent again" in errors
        assert kept(folder / "juliet") == 0
        assert self.DISAGREE not in self.say(programs, chat.port, "after\n")
        chat.hears("before\n1\n2\n3\n4\n5\na\nb\nc\nafter\n")

    def test_server(self, programs: Programs) -> None:
        """What the server has lost and the client removed is gone; what comes after that is stored."""
        folder, chat = programs.folder, House(programs)
        self.say(programs, chat.port, "before\n")
        chat.romeo.kill()
        shutil.copytree(folder / "romeo", folder / "copy")
        chat.restart()
        self.say(programs, chat.port, "1\n2\n3\n4\n5\n")
        chat.romeo.kill()
        shutil.rmtree(folder / "romeo")
        (folder / "copy").rename(folder / "romeo")
        chat.restart()
        assert self.DISAGREE in self.say(programs, chat.port, "a\nb\n")
        assert self.DISAGREE not in self.say(programs, chat.port, "c\n")
        reader = programs.caller(chat.port)
        reader.hears("juliet: before\n")
        for line in "abc":
            reader.hears(f"juliet: {line}\n")

    def say(self, programs: Programs, port: int, text: str) -> str:
        """Let a client say ``text`` that has the directory ``juliet``; return what it writes of itself."""
        client = programs.juliet(port, "--state", "juliet", stdin=programs.file("script", text))
        assert client.ends() == 0
        return client.errors.everything().decode()


class TalkTests:
    """A conversation of two in which both have much to say."""

    BLOCK = 4000
    """Lines that are said at a time, which a pipe has room for while nobody reads it."""

    def test_cut(self, programs: Programs) -> None:
        """Both have everything once, though the connection is cut in the middle."""
        heard, hers = programs.folder / "heard", programs.folder / "hers"
        romeo = programs.romeo("--state", "romeo", stdout=heard)
        relay = programs.relay(romeo.port)
        juliet = programs.juliet(relay.port, stdout=hers)
        juliet.states("Connected to romeo")
        for turn in range(2):
            before = min(size(heard), size(hers))
            self.say(turn, romeo, "his")
            self.say(turn, juliet, "her")
            wait_until(lambda: min(size(heard), size(hers)) > before)  # noqa: B023 - it is called in this turn only
            relay.cut()
            juliet.states("Connected to romeo")
        self.say(2, romeo, "his")
        self.say(2, juliet, "her")
        romeo.end_input()
        juliet.end_input()
        assert (romeo.ends(), juliet.ends()) == (0, 0)
        assert heard.read_text() == numbered(0, 3 * self.BLOCK, "her")
        assert hers.read_text() == numbered(0, 3 * self.BLOCK, "his")

    def test_killed(self, programs: Programs) -> None:
        """So it is when Juliet is killed; she may then show the last lines before that twice."""
        heard, hers = programs.folder / "heard", [programs.folder / "first", programs.folder / "second"]
        romeo = programs.romeo("--state", "romeo", stdout=heard)
        port = romeo.port
        for turn, shown in enumerate(hers):
            juliet = programs.juliet(port, "--state", "juliet", stdout=shown)
            self.say(turn, juliet, "her")
            self.say(turn, romeo, "his")
            if turn == 0:
                self.see_all(heard, hers[0])
                juliet.kill()
        romeo.end_input()
        juliet.end_input()
        assert (romeo.ends(), juliet.ends()) == (0, 0)
        assert heard.read_text() == numbered(0, 2 * self.BLOCK, "her")
        first, second = (path.read_text().splitlines() for path in hers)
        expected = numbered(0, 2 * self.BLOCK, "his").splitlines()
        assert first == expected[: len(first)]
        assert second == expected[len(expected) - len(second) :]
        assert len(second) >= self.BLOCK

    def see_all(self, *files: Path) -> None:
        """Wait until all of the first turn is in ``files``."""
        wait_until(lambda: all(size(file) >= self.BLOCK * len(numbered(0, 1, "her")) for file in files))

    def say(self, turn: int, program: Program, words: str) -> None:
        """Let ``program`` say so many lines more."""
        program.writes(numbered(turn * self.BLOCK, (turn + 1) * self.BLOCK, words))


def size(path: Path) -> int:
    """Return how many bytes are in the file ``path`` so far."""
    return path.stat().st_size


class FullDiskTests:
    """A disk that has no room for a while."""

    def test_no_room(self, programs: Programs) -> None:
        """[P17] Nobody is shown what is not stored; its author is told, and Juliet says it again."""
        romeo = programs.romeo("--state", "romeo", stdin=NULL, stdout=NULL)
        port = romeo.port
        author, reader = programs.caller(port), programs.caller(port)
        for guest in (author, reader):
            guest.hears(" here: ")
        juliet = programs.juliet(port)
        juliet.states("Connected to romeo")
        self.limit(romeo, 0)
        author.says("one\n")
        author.hears("* message not sent")
        juliet.writes("two\n")
        juliet.states("* not stored yet: the server cannot store messages now. ")
        self.limit(romeo, RLIM_INFINITY)
        reader.hears("juliet: two\n")
        author.says("three\n")
        reader.hears(": three\n")
        juliet.end_input()
        assert juliet.ends() == 0
        reader.says("exit\n")
        said = re.findall(r"^\w+: .*$", reader.hears_all(), re.MULTILINE)
        assert [line.partition(": ")[2] for line in said] == ["two", "three"]

    def limit(self, program: Program, size: int) -> None:
        """Let no file of ``program`` grow beyond ``size`` bytes."""
        prlimit(program.process.pid, RLIMIT_FSIZE, (size, RLIM_INFINITY))


class StateDirectoryTests:
    """Directories in which programs keep what is to survive them."""

    @pytest.mark.parametrize("umask", ["000", "777"])
    def test_rights(self, programs: Programs, umask: str) -> None:
        """They are their owner's alone, with all that is in them, whatever the umask."""
        romeo = self.with_umask(programs, umask, "romeo", "--port", "0")
        juliet = self.with_umask(programs, umask, "juliet", "--port", str(romeo.port))
        juliet.writes("hello\n")
        romeo.shows("hello\n")
        for name in ("romeo", "juliet"):
            folder = programs.folder / name
            files = list(folder.iterdir())
            assert folder / f"{name}.sqlite" in files
            assert folder.stat().st_mode & 0o777 == 0o700
            assert {file.name: file.stat().st_mode & 0o777 for file in files} == {
                file.name: 0o600 for file in files
            }

    def with_umask(self, programs: Programs, umask: str, name: str, *options: str) -> Program:
        """Start the program ``name`` with a state directory of that name."""
        command = f'umask {umask}; exec "$0" "$@"'
        arguments = [name, "--host", LOOPBACK, "--state", name, *options]
        return programs.start(SHELL, "-c", command, TWIST, *arguments)

    def test_in_use(self, programs: Programs) -> None:
        """A second program that wants the same one is refused, and the first does not notice."""
        port = free_port()
        for start in (programs.romeo, lambda *options: programs.juliet(port, *options)):
            first = start("--state", "both")
            first.states("Listening" if start == programs.romeo else "Calling")
            assert refusal(start("--state", "both"), IO_ERROR).endswith(
                ": both is in use by another program\n"
            )
            assert first.process.poll() is None
            first.kill()

    def test_locked(self, programs: Programs) -> None:
        """A client whose file another process locks ends for good, with one line, and loses nothing."""
        port, folder = free_port(), programs.folder
        juliet = programs.juliet(port, "--state", "juliet")
        juliet.writes("one\n")
        wait_until(lambda: kept(folder / "juliet") == 1)
        with closing(sqlite3.connect(folder / "juliet" / "juliet.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            chat = House(programs, port)
            juliet.errors.until("juliet: .*database is locked; 1 line is kept for the next time\n")
            assert juliet.ends() == IO_ERROR
            other.execute("ROLLBACK")
        errors = juliet.errors.everything().decode()
        assert errors.count("database is locked") == 1
        assert "Traceback" not in errors
        juliet = programs.juliet(port, "--state", "juliet", stdin=programs.file("script", "two\n"))
        assert juliet.ends() == 0
        chat.hears("one\ntwo\n")

    def test_what_is_no_log(self, programs: Programs) -> None:
        """A log that is damaged, cut off or somebody else's is refused, and left as it is."""
        folder = programs.folder
        romeo = programs.romeo("--state", "sound", stdin=NULL)
        guest = programs.native_caller(romeo.port)
        guest.tells({"type": "hello", "version": 1, "name": "juliet"})
        guest.tells({"type": "message", "kind": "text", "text": "\n".join(["x" * 100] * 1000), "seq": 1})
        assert guest.told("ack")["next_seq"] == 1001
        romeo.signal(SIGTERM)
        romeo.ends()
        files: dict[str, bytes] = {}
        for name, ruin in RUINS.items():
            shutil.copytree(folder / "sound", folder / name)
            ruin(folder / name / "romeo.sqlite")
            files[name] = (folder / name / "romeo.sqlite").read_bytes()
        assert len(set(files.values())) == len(files)
        started = {name: programs.romeo("--state", name, stdin=NULL) for name in files}
        for name, program in started.items():
            assert refusal(program, IO_ERROR).startswith(f"romeo: {name}/romeo.sqlite: "), name
            assert (folder / name / "romeo.sqlite").read_bytes() == files[name], name


def damage(path: Path) -> None:
    """Write rubbish over all but the first page of the file ``path``."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def cut_off(path: Path) -> None:
    """Cut the file ``path`` off in the middle of a page."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3 + 1])


def another_database(path: Path) -> None:
    """Make a database of another program of the file ``path``."""
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmark (address TEXT)")


RUINS: dict[str, Callable[[Path], object]] = {
    "damaged": damage,
    "cut_off": cut_off,
    "another_database": another_database,
    "no_database": lambda path: path.write_text("dear diary,\n" * 1000),
    "nothing": lambda path: path.write_bytes(b""),
}
