"""Romeo as a host of many."""

from __future__ import annotations

import re
import shutil
from signal import SIGTERM
from subprocess import PIPE

import pytest

from tests.functional.programs import NULL, Peer, Programs

LINE = re.compile(r"^(?:(\w+): )(.*)$", re.MULTILINE)


def said(text: str) -> list[str]:
    """Return the lines of ``text`` that were said, with who said them."""
    return [match[0] for match in LINE.finditer(text)]


def guest(programs: Programs, port: int) -> Peer:
    """Return a guest who has been greeted."""
    peer = programs.caller(port)
    peer.heard.until(r"\* \d+ here: .*\n")
    return peer


def guests(programs: Programs, port: int, count: int) -> list[Peer]:
    """Return ``count`` guests, each greeted before the next comes."""
    return [guest(programs, port) for _ in range(count)]


def read_along(speaker: Peer, reader: Peer, lines: list[str], together: int) -> None:
    """Let ``speaker``, guest1, say ``lines``: so many at a time, read by ``reader`` before the next."""
    for at in range(0, len(lines), together):
        block = lines[at : at + together]
        speaker.says("".join(f"{line}\n" for line in block))
        reader.hears(f"guest1: {block[-1]}\n")


class RoomTests:
    """Several guests in one room."""

    @pytest.mark.skipif(shutil.which("nc") is None, reason="nc is not installed")
    def test_five_and_juliet(self, programs: Programs) -> None:
        """Five with nc and a Juliet talk in one room, and all see the same lines in the same order."""
        romeo = programs.romeo(stdin=NULL)
        port = romeo.port
        guests = [programs.start("nc", "127.0.0.1", str(port), stdin=PIPE) for _ in range(5)]
        for nc in guests:
            nc.shows(" here: ")
        juliet = programs.juliet_in_terminal(port)
        juliet.shows("6 here: ")
        juliet.writes("/nick juliet\n")
        for nc in guests:
            nc.output.until("(is now juliet|juliet joined)\n")
        for number, nc in enumerate(guests):
            nc.writes(f"line {number} é\n")
        juliet.writes("good morrow\n")
        for nc in guests:
            nc.shows("juliet: good morrow\n")
        juliet.writes("exit\n")
        assert juliet.ends() == 0
        for nc in guests:
            nc.shows("* juliet left\n")
            nc.writes("exit\n")
            nc.end_input()
        heard = [said(nc.output.everything().decode()) for nc in guests]
        everything = max(heard, key=len)
        orders = [[line for line in lines if line in other] for lines in heard for other in heard]
        backs = [[line for line in other if line in lines] for lines in heard for other in heard]
        assert orders == backs
        assert len(everything) == 5

    def test_private_message(self, programs: Programs) -> None:
        """What is said to one person alone is heard by nobody else, and not remembered."""
        romeo = programs.romeo(stdin=NULL)
        one, two, three = guests(programs, romeo.port, 3)
        one.says("/msg guest2 psst\n")
        two.hears("* guest1 says to you: psst\n")
        two.says("/r what?\n")
        one.hears("* guest2 says to you: what?\n")
        three.says("/last\nexit\n")
        assert "psst" not in three.hears_all()

    def test_history(self, programs: Programs) -> None:
        """Who comes late is shown what was said last, with its time."""
        romeo = programs.romeo("--history", "2", stdin=NULL)
        port = romeo.port
        one = guest(programs, port)
        one.says("a\nb\nc\n/ping\n")
        one.hears("* pong\n")
        late = programs.caller(port)
        late.heard.until(r"help lists what you can do\n\[\d\d:\d\d\] guest1: b\n\[\d\d:\d\d\] guest1: c\n")

    def test_full(self, programs: Programs) -> None:
        """Beyond the number of guests a caller is told so and closed."""
        romeo = programs.romeo("--guests", "1", stdin=NULL)
        port = romeo.port
        guest(programs, port)
        assert programs.caller(port).hears_all() == "* romeo has no room for more guests\n"

    def test_at_a_terminal(self, programs: Programs) -> None:
        """With --guests, the person at Romeo's keyboard is the host of many."""
        romeo = programs.terminal("romeo", "--host", "127.0.0.1", "--port", "0", "--guests", "5")
        one, two = guests(programs, romeo.port, 2)
        romeo.writes("welcome all\n")
        one.hears("romeo: welcome all\n")
        two.says("thanks\n")
        romeo.shows("guest2: thanks")
        romeo.writes("/kick guest1 hush\n")
        assert one.hears_all().endswith("* you were kicked by romeo: hush\n")
        romeo.writes("/shutdown\n")
        assert two.hears_all().endswith("* romeo is leaving\n")
        assert romeo.ends() == 0

    def test_sigterm(self, programs: Programs) -> None:
        """When he is ended, all guests are told and closed in good order."""
        romeo = programs.romeo(stdin=NULL)
        callers = guests(programs, romeo.port, 3)
        romeo.signal(SIGTERM)
        for peer in callers:
            assert peer.hears_all().endswith("* romeo is leaving\n")
            peer.close()
        romeo.ends()


class WithstandingTests:
    """What guests may do without harm to others."""

    def test_who_reads_nothing(self, programs: Programs) -> None:
        """Who stops reading delays nobody, and when it reads again gets everything, in order."""
        romeo = programs.romeo("--rate", "0", stdin=NULL)
        speaker, reader, stuck = guests(programs, romeo.port, 3)
        lines = [f"{number:06d} " + "x" * 1000 for number in range(12_000)]
        read_along(speaker, reader, lines, 500)
        stuck.hears(f"guest1: {lines[-1]}\n")
        reader.says("exit\n")
        stuck.says("exit\n")
        expected = [f"guest1: {line}" for line in lines]
        assert said(reader.hears_all()) == expected
        assert said(stuck.hears_all()) == expected

    def test_lines_that_are_gone(self, programs: Programs) -> None:
        """Who is so far behind that lines were forgotten is told exactly how many."""
        romeo = programs.romeo("--rate", "0", "--history-memory", "1M", stdin=NULL)
        speaker, reader, stuck = guests(programs, romeo.port, 3)
        lines = [f"{number:06d} " + "x" * 2000 for number in range(10_000)]
        read_along(speaker, reader, lines, 100)
        stuck.hears(f"guest1: {lines[-1]}\n")
        stuck.says("exit\n")
        text = stuck.hears_all()
        gone = sum(
            int(count) for count in re.findall(r"^\* (\d+) lines? (?:is|are) gone$", text, re.MULTILINE)
        )
        numbers = [int(line.split()[1]) for line in said(text)]
        assert gone > 0
        assert numbers == sorted(set(numbers))
        assert gone + len(numbers) == len(lines)

    def test_flood(self, programs: Programs) -> None:
        """Who says too much at once is read more slowly, and nothing of it is lost."""
        romeo = programs.romeo("--rate", "500", stdin=NULL)
        flood, reader = guests(programs, romeo.port, 2)
        lines = [str(number) for number in range(6000)]
        flood.says("".join(f"{line}\n" for line in lines))
        reader.hears("guest1: 5999\n")
        reader.says("exit\n")
        assert said(reader.hears_all()) == [f"guest1: {line}" for line in lines]

    def test_rubbish(self, programs: Programs) -> None:
        """Of control characters, halves of characters and endless lines nobody else hears."""
        romeo = programs.romeo("--rate", "0", stdin=NULL)
        reader, bad = guests(programs, romeo.port, 2)
        bad.says(bytes(range(256)) + b"\n\x1b[2J\x00\r*\xe2\x82\n" + b"y" * 5000 + b"\n")
        bad.hears("* a line of more than 4096 bytes was discarded\n")
        bad.says(b"z" * 70_000)
        assert "65536 bytes without a line end: closed" in bad.hears_all()
        reader.hears("* guest2 left\n")
        reader.says("exit\n")
        text = reader.hears_all()
        assert not [char for char in text if char not in "\t\n" and (char < " " or "\x7f" <= char < "\xa0")]
        assert "yyy" not in text
        assert all(line.startswith(("* ", "guest2: ")) for line in text.splitlines())

    def test_many_at_once(self, programs: Programs) -> None:
        """A crowd that comes within a second is let in and told of each other in few lines."""
        romeo = programs.romeo("--rate", "0", stdin=NULL, stdout=NULL)
        port = romeo.port
        first = guest(programs, port)
        crowd = [programs.caller(port) for _ in range(300)]
        for peer in crowd:
            peer.says("here\n")
        for _ in crowd:
            first.hears(": here\n")
        first.says("/rooms\n")
        first.hears("* lobby: 301 here\n")
        joined = re.findall(r"joined", bytes(first.heard._data).decode())
        assert len(joined) < 100
