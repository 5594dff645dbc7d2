"""Two people, each at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.functional.programs import WAYS_IN, Programs, Terminal, free_port, wait_until
from tests.screen import CTRL_C, CTRL_D, CTRL_S

WAITS_FOR = Path("/proc/self/wchan")


def both(programs: Programs, first: str) -> tuple[Terminal, Terminal]:
    """Return Romeo and Juliet, connected; ``first`` is started before the other."""
    if first == "romeo":
        romeo = programs.romeo_in_terminal()
        juliet = programs.juliet_in_terminal(romeo.port)
    else:
        port = free_port()
        juliet = programs.juliet_in_terminal(port)
        juliet.shows("no answer: connection refused")
        romeo = programs.romeo_in_terminal(port)
    romeo.shows("Connected to juliet ('127.0.0.1', ")
    juliet.shows("Connected to romeo ('127.0.0.1', ")
    return romeo, juliet


def says(speaker: Terminal, name: str, text: str, listener: Terminal) -> None:
    """Let ``speaker``, called ``name``, type a line, and wait until ``listener`` sees it."""
    speaker.writes(f"{text}\n")
    listener.shows(f"{name}: {text}")


class TerminalConversationTests:
    """Both programs in terminals."""

    @pytest.mark.parametrize(
        ("first", "leaves", "goodbye"),
        [
            ("romeo", "juliet", "exit\n"),
            ("juliet", "romeo", "EXIT\n"),
            ("juliet", "juliet", CTRL_D),
            ("romeo", "romeo", CTRL_D),
            ("juliet", "romeo", CTRL_C),
            ("romeo", "juliet", CTRL_C),
        ],
    )
    def test_conversation(self, programs: Programs, first: str, leaves: str, goodbye: str) -> None:
        """In either order they find each other, talk in any script, and end both when one says goodbye."""
        romeo, juliet = both(programs, first)
        says(juliet, "juliet", "Où es-tu, Roméo ? Ça va ?", romeo)
        says(romeo, "romeo", "我在這裡，朱麗葉。", juliet)
        says(juliet, "juliet", "🌹 by any other name 👩‍🚀", romeo)
        says(romeo, "romeo", "exit, pursued by a bear", juliet)
        (romeo if leaves == "romeo" else juliet).writes(goodbye)
        assert (romeo.ends(), juliet.ends()) == (0, 0)
        assert romeo.as_before
        assert juliet.as_before

    def test_blank_lines_and_slashes(self, programs: Programs) -> None:
        """Blank lines are not said, a command is answered at the keyboard, and two slashes say one."""
        romeo, juliet = both(programs, "romeo")
        romeo.writes("\n  \n/nosuch\n")
        romeo.shows("* unknown command /nosuch")
        juliet.writes("\n  \n/nosuch\n")
        juliet.shows("* unknown command /nosuch")
        says(romeo, "romeo", "first", juliet)
        romeo.writes("//etc\n")
        juliet.shows("romeo: /etc")
        juliet.writes("//etc\n")
        romeo.shows("juliet: /etc")

    def test_conversation_in_a_file(self, programs: Programs) -> None:
        """With standard output in a file, only what the other says is in it, and the rest on the terminal."""
        heard = programs.folder / "heard"
        romeo = programs.romeo_in_terminal(stdout=heard)
        guest = programs.caller(romeo.port)
        romeo.shows("Connected to juliet")
        romeo.writes("hello ½\n")
        guest.hears("hello ½\n")
        guest.says("one\ntwo ½\nexit\n")
        romeo.shows("Connection closed by juliet.")
        guest.close()
        assert romeo.ends() == 0
        assert heard.read_text() == "one\ntwo ½\n"

    @pytest.mark.parametrize("goodbye", [CTRL_D, "exit\n"])
    def test_nobody_there(self, programs: Programs, goodbye: str) -> None:
        """Who waits or calls in vain can leave as from a conversation."""
        waiting: list[tuple[Terminal, str]] = [
            (programs.romeo_in_terminal(), "Listening for connection"),
            (programs.juliet_in_terminal(free_port()), "no answer"),
        ]
        for program, state in waiting:
            program.shows(state)
            program.writes(goodbye)
            assert program.ends() == 0
            assert program.as_before


class QuestionsTests:
    """What is asked at a terminal where the command line does not say it."""

    @pytest.mark.parametrize("command_name", WAYS_IN, ids=lambda command_name: str(command_name[-1]))
    def test_both_are_asked(self, programs: Programs, command_name: Sequence[str | Path]) -> None:
        """The original's questions are put; Enter takes the default, and a wrong answer is asked again."""
        programs.command_name = command_name
        romeo = programs.terminal("romeo")
        romeo.shows("Enter Romeo IP address ex : 0.0.0.0 : ")
        romeo.writes("\n")
        romeo.shows("Enter Romeo port number ex : 4444 : ")
        romeo.writes("many\n")
        romeo.shows("invalid port 'many': expected 0-65535")
        romeo.shows("Enter Romeo port number ex : 4444 : ")
        romeo.writes("0\n")
        romeo.shows("Listening for connection on 0.0.0.0:")
        port = int(romeo.until(r"(\d+)\.\.\.")[1])
        juliet = programs.terminal("juliet")
        juliet.shows("Enter Romeo IP address - ex: 0.tcp.ngrok.io : ")
        juliet.writes("\n")
        juliet.shows("Enter Romeo port number - ex: 13005  : ")
        juliet.writes("65536\n")
        juliet.shows("invalid port '65536'")
        juliet.shows("Enter Romeo port number - ex: 13005  : ")
        juliet.writes(f"{port}\n")
        juliet.shows("Connected to romeo")
        says(juliet, "juliet", "asked and answered", romeo)

    @pytest.mark.parametrize("leave", [CTRL_C, CTRL_D])
    def test_no_answer(self, programs: Programs, leave: str) -> None:
        """Ctrl-D and Ctrl-C at a question end the program in good order."""
        for program in [programs.terminal("romeo"), programs.terminal("juliet")]:
            program.shows("Enter Romeo IP address")
            program.writes(leave)
            assert program.ends() == 0

    @pytest.mark.skipif(not WAITS_FOR.exists(), reason="Linux tells in /proc what a program waits for")
    def test_interrupted_question(self, programs: Programs) -> None:
        """Ctrl-C does so also while the question is still on its way to a screen that was halted."""
        romeo = programs.terminal("romeo")
        romeo.writes(CTRL_S)
        wait_until(lambda: Path(f"/proc/{romeo.process.pid}/wchan").read_text() == "wait_woken")
        romeo.writes(CTRL_C)
        assert romeo.ends() == 0

    def test_nothing_is_asked(self, programs: Programs) -> None:
        """Romeo who knows one of address and port asks nothing, nor does Juliet who knows the host."""
        romeo = programs.terminal("romeo", "--port", "0")
        assert romeo.until(r"(Enter|Listening)")[1] == "Listening"
        juliet = programs.terminal("juliet", "--host", "localhost", "--port", str(free_port()))
        assert juliet.until(r"(Enter|Calling)")[1] == "Calling"
