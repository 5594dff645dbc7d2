"""People at terminals with a prompt, and what they see."""

from __future__ import annotations

import signal

import pytest

from techboy.exit_status import IO_ERROR
from tests.functional.programs import SHELL, free_port
from tests.functional.screens import COLUMNS, JULIET, ROWS, Screen, Screens
from tests.screen import CTRL_C, CTRL_D, CTRL_L, CTRL_R, CTRL_Z, ENTER, ESCAPE, TAB, UP


def both(screens: Screens, columns: int = COLUMNS) -> tuple[Screen, Screen]:
    """Return Romeo and Juliet, connected; her screen is so wide."""
    romeo = screens.romeo_on_screen()
    juliet = screens.juliet_on_screen(romeo.port, columns=columns)
    return talking(romeo, juliet)


def talking(romeo: Screen, juliet: Screen) -> tuple[Screen, Screen]:
    """Return both as soon as each sees the other."""
    romeo.shows("Connected to juliet")
    juliet.shows("Connected")
    return romeo, juliet


def typed(screen: Screen, prompt: str) -> None:
    """Wait until ``prompt``, and what was typed, stands over the status line, and the cursor behind it."""
    screen.until(lambda rows: rows[-2:-1] == [prompt.rstrip()] and screen.emulator.cursor.x == len(prompt))


class TypingTests:
    """Typing while others talk."""

    def test_conversation(self, screens: Screens) -> None:
        """Both see the same conversation, each line once, above a prompt and a status line."""
        romeo, juliet = both(screens)
        juliet.writes(f"Où es-tu, Roméo ?{ENTER}")
        romeo.shows("juliet: Où es-tu, Roméo ?")
        romeo.writes(f"我在這裡 💌{ENTER}")
        juliet.shows("romeo: 我在這裡 💌")
        for name, screen in (("romeo", romeo), ("juliet", juliet)):
            typed(screen, f"{name}: ")
            screen.has_said("juliet: Où es-tu, Roméo ?", "romeo: 我在這裡 💌")
            assert screen.rows[-1].startswith("connected to ")

    def test_not_torn(self, screens: Screens) -> None:
        """What is being typed stands as it was, whatever comes in meanwhile, and can be gone on with."""
        romeo, juliet = both(screens)
        juliet.writes("it is the ni")
        typed(juliet, "juliet: it is the ni")
        for number in range(20):
            romeo.writes(f"line {number}{ENTER}")
        juliet.shows("romeo: line 19")
        typed(juliet, "juliet: it is the ni")
        juliet.writes(f"ghtingale{ENTER}")
        romeo.shows("juliet: it is the nightingale")
        juliet.shows("juliet: it is the nightingale")
        expected = [f"romeo: line {number}" for number in range(20)] + ["juliet: it is the nightingale"]
        juliet.has_said(*expected)
        romeo.has_said(*expected)

    def test_flood(self, screens: Screens) -> None:
        """Of thousands of lines none is lost or out of order, and what is typed meanwhile stands."""
        romeo = screens.romeo_on_screen()
        guest = screens.caller(romeo.port)
        romeo.shows("Connected to juliet")
        romeo.writes("but soft")
        typed(romeo, "romeo: but soft")
        lines = [f"line {number}" for number in range(3000)]
        guest.says("".join(f"{line}\n" for line in lines))
        romeo.shows("line 2999")
        typed(romeo, "romeo: but soft")
        assert romeo.said[-3000:] == [f"juliet: {line}" for line in lines]

    def test_halted(self, screens: Screens) -> None:
        """A terminal that takes nothing stops nobody, and shows everything when it does again."""
        romeo = screens.romeo_on_screen()
        port = romeo.port
        guest = screens.caller(port)
        romeo.shows("Connected to juliet")
        lines = [f"{number:05}" + "#" * 40 for number in range(4000)]
        guest.says("".join(f"{line}\n" for line in lines[:2000]))
        assert "is busy" in screens.caller(port).hears_all()
        guest.says("".join(f"{line}\n" for line in lines[2000:]))
        romeo.shows(lines[-1])
        typed(romeo, "romeo: ")
        assert romeo.said[-4000:] == [f"juliet: {line}" for line in lines]

    def test_wide(self, screens: Screens) -> None:
        """Wide characters and emoji are neither cut nor torn where the screen ends, typed or shown."""
        romeo, juliet = both(screens, columns=20)
        text = "日本💌日本💌日本💌日本💌"
        juliet.writes(text)
        juliet.until(lambda rows: rows[-3:-1] == ["juliet: 日本💌日本💌", "日本💌日本💌"])
        romeo.writes(f"x{text}{ENTER}")
        shown = ["x日本💌", "日本💌日本💌日本💌"]
        juliet.until(lambda rows: rows[-5:-3] == [f"{rows[-5][:6]}romeo: {shown[0]}", shown[1]])
        juliet.until(lambda rows: rows[-3:-1] == ["juliet: 日本💌日本💌", "日本💌日本💌"])
        juliet.writes(ENTER)
        romeo.shows("juliet: 日本💌")
        typed(juliet, "juliet: ")

    def test_unclean(self, screens: Screens) -> None:
        """Nothing that the other end sends can disturb the terminal."""
        romeo = screens.romeo_on_screen()
        guest = screens.caller(romeo.port)
        guest.says(b"one\x1b[2Jtwo\x07\xff\n")
        romeo.shows("juliet: one\ufffd[2Jtwo\ufffd\ufffd")
        assert romeo.emulator.bells == 0

    def test_bell(self, screens: Screens) -> None:
        """One's own name rings the bell once, if one wants that."""
        romeo, juliet = both(screens)
        romeo.writes(f"o Juliet{ENTER}")
        juliet.shows("romeo: o Juliet")
        typed(juliet, "juliet: ")
        assert juliet.emulator.bells == 1
        juliet.writes(f"/bell off{ENTER}")
        juliet.shows("* the bell is off")
        assert "/bell off" in juliet.rows
        romeo.writes(f"juliet!{ENTER}")
        juliet.shows("romeo: juliet!")
        typed(juliet, "juliet: ")
        assert juliet.emulator.bells == 1


class WaitingTests:
    """Own lines that nobody has yet."""

    def test_nobody(self, screens: Screens) -> None:
        """They wait above the prompt, marked, and are printed, in order and once, when they are stored."""
        port = free_port()
        juliet = screens.juliet_on_screen(port)
        juliet.shows("no answer")
        for number in range(7):
            juliet.writes(f"line {number}{ENTER}")
        marked = [f"… line {number}" for number in range(5)]
        marked += ["… 2 more lines wait", "juliet:"]
        juliet.until(lambda rows: rows[-8:-1] == marked and ", 7 lines wait" in rows[-1])
        romeo = screens.romeo_on_screen(port=port)
        expected = [f"juliet: line {number}" for number in range(7)]
        romeo.shows(expected[-1])
        juliet.until(lambda rows: not any("…" in row for row in rows))
        juliet.has_said(*expected)
        romeo.has_said(*expected)

    def test_never_stored(self, screens: Screens) -> None:
        """Those that wait at the end are still to be seen, marked."""
        juliet = screens.juliet_on_screen(free_port())
        juliet.shows("no answer")
        juliet.writes(f"hello{ENTER}")
        juliet.shows("… hello")
        juliet.writes(CTRL_C)
        assert juliet.ends() != 0
        assert juliet.is_tidy
        assert juliet.rows[-1] == "… hello"

    def test_cut(self, screens: Screens) -> None:
        """A connection that is cut is told of, and everything said around it arrives, once and in order."""
        romeo = screens.romeo_on_screen()
        relay = screens.relay(romeo.port)
        romeo, juliet = talking(romeo, screens.juliet_on_screen(relay.port))
        juliet.writes(f"one{ENTER}two{ENTER}")
        relay.cut()
        juliet.writes("three, and ha")
        juliet.until(lambda _: any("Connection to romeo lost." in line for line in juliet.said))
        juliet.writes(f"lf{ENTER}four{ENTER}")
        romeo.shows("juliet: four")
        juliet.shows("juliet: four")
        expected = [f"juliet: {line}" for line in ("one", "two", "three, and half", "four")]
        for screen in (romeo, juliet):
            assert [line for line in screen.said if line.startswith("juliet: ")] == expected

    def test_host(self, screens: Screens) -> None:
        """A host of many sees his own lines where everybody does."""
        romeo = screens.romeo_on_screen("--guests", "5")
        guest = screens.caller(romeo.port)
        romeo.shows("* guest1 joined")
        guest.says("hello\n")
        romeo.shows("guest1: hello")
        romeo.writes(f"welcome{ENTER}")
        guest.hears("romeo: welcome\n")
        romeo.shows("romeo: welcome")
        romeo.writes(f"/nick mercutio{ENTER}")
        romeo.until(lambda rows: rows[-2:-1] == ["mercutio:"])


class EditingTests:
    """What can be done with a line before it is said."""

    def test_history(self, screens: Screens) -> None:
        """What was said in an earlier run can be had again, by the arrows and by Ctrl-R."""
        for wanted in ("", "arrow", "search"):
            juliet = screens.juliet_on_screen(free_port())
            typed(juliet, "juliet: ")
            if not wanted:
                juliet.writes(f"wherefore art thou{ENTER}not this{ENTER}")
                juliet.shows("… not this")
            elif wanted == "arrow":
                juliet.writes(UP + UP)
                typed(juliet, "juliet: wherefore art thou")
            else:
                juliet.writes(f"{CTRL_R}fore")
                juliet.shows("juliet: wherefore art thou")
            juliet.writes(CTRL_C)
            juliet.ends()
            assert juliet.is_tidy

    def test_completion(self, screens: Screens) -> None:
        """Commands and names are completed by Tab, and not before."""
        romeo = screens.romeo_on_screen("--guests", "5")
        screens.caller(romeo.port)
        romeo.shows("guest1 joined")
        romeo.writes("/who")
        typed(romeo, "romeo: /who")
        romeo.writes(f"i{TAB}")
        typed(romeo, "romeo: /whois ")
        romeo.writes(f"gue{TAB}")
        typed(romeo, "romeo: /whois guest1")

    def test_too_long(self, screens: Screens) -> None:
        """A line that is too long stays, to be shortened."""
        juliet = screens.juliet_on_screen(free_port(), "--max-line", "64")
        juliet.writes("x" * 65 + ENTER)
        juliet.shows("* not sent: more than 64 bytes in a line")
        juliet.writes("\x7f" + ENTER)
        juliet.shows("… " + "x" * 58)

    def test_paste(self, screens: Screens) -> None:
        """Many lines that are pasted are said only after yes, as they stand, one line is merely inserted."""
        romeo, juliet = both(screens)
        typed(juliet, "juliet: ")
        for answer in ("n", ESCAPE, CTRL_C):
            juliet.pastes("one\rtwo\rthree\r")
            juliet.shows("send these 3 lines? y/n")
            juliet.writes(f"x{ENTER}{answer}")
            juliet.until(lambda rows: not any("y/n" in row for row in rows))
        juliet.pastes("inserted\r")
        typed(juliet, "juliet: inserted")
        juliet.pastes("exit\r\r/nick x\r")
        juliet.shows("send these 3 lines? y/n")
        juliet.writes("y")
        romeo.shows("/nick x")
        typed(juliet, "juliet: inserted")
        juliet.writes(ENTER)
        romeo.shows("juliet: inserted")
        lines = [line for line in romeo.said if line.startswith("juliet:")]
        assert lines == ["juliet: exit", "juliet:", "juliet: /nick x", "juliet: inserted"]

    def test_redraw(self, screens: Screens) -> None:
        """Ctrl-L puts a screen in order that something else has written to."""
        romeo, juliet = both(screens)
        romeo.writes(f"hello{ENTER}")
        juliet.shows("romeo: hello")
        juliet.writes("half")
        typed(juliet, "juliet: half")
        before = juliet.rows
        juliet.scribbles("\r\n\r\nrubbish\r\n")
        juliet.shows("rubbish")
        juliet.writes(CTRL_L)
        juliet.until(lambda rows: rows[:-1] == before[:-1])

    def test_resize(self, screens: Screens) -> None:
        """After the window has changed its size, all is drawn for the new one, and nothing is lost."""
        romeo, juliet = both(screens)
        juliet.writes("half a line")
        typed(juliet, "juliet: half a line")
        for rows, columns in ((20, 100), (6, 30)):
            juliet.resizes(rows, columns)
            typed(juliet, "juliet: half a line")
            romeo.writes(f"now {columns}{ENTER}")
            juliet.shows(f"romeo: now {columns}")
            typed(juliet, "juliet: half a line")
            assert len(juliet.rows[-1]) <= columns
        juliet.writes(ENTER)
        romeo.shows("juliet: half a line")


class StoppedTests:
    """Ctrl-Z, and what becomes of it."""

    @pytest.mark.parametrize("how", ["key", "signal"])
    def test_stopped(self, screens: Screens, how: str) -> None:
        """A shell has the terminal as it was, and `fg` brings everything back, with what came meanwhile."""
        romeo = screens.romeo_on_screen()
        shell = screens.on_screen(SHELL, "-i", rows=ROWS + 8)
        shell.writes(" ".join([*map(str, JULIET), "--port", str(romeo.port)]) + "\n")
        shell.shows("Connected to romeo")
        shell.writes("half")
        typed(shell, "juliet: half")
        pid = shell.foreground
        if how == "key":
            shell.writes(CTRL_Z)
        else:
            screens.send(pid, signal.SIGSTOP)
        shell.until(lambda _: shell.foreground != pid)
        enter = ENTER if how == "key" else "\n"  # who is stopped by a signal can put nothing in order
        shell.writes(f"echo by the shell $((6 * 7)){enter}")
        shell.shows("by the shell 42")
        romeo.writes(f"hello{ENTER}")
        romeo.shows("romeo:")
        shell.writes(f"fg{enter}")
        shell.shows("romeo: hello")
        typed(shell, "juliet: half")
        shell.writes(f" a line{ENTER}")
        romeo.shows("juliet: half a line")
        shell.writes(CTRL_C)
        romeo.shows("Connection closed by juliet.")
        shell.until(lambda _: shell.foreground == shell.process.pid)
        shell.writes(f"echo and tidy{ENTER}")
        shell.until(lambda rows: "and tidy" in rows)

    def test_alone(self, screens: Screens) -> None:
        """Where there is no shell to go back to, Ctrl-Z does no harm."""
        romeo, juliet = both(screens)
        juliet.writes(f"half{CTRL_Z} a line{ENTER}")
        romeo.shows("juliet: half a line")
        juliet.writes(CTRL_C)
        assert juliet.ends() == 0
        assert juliet.is_tidy


class EndTests:
    """However it ends, the terminal is as it was before."""

    @pytest.mark.parametrize("goodbye", [f"exit{ENTER}", CTRL_C, CTRL_D, f"half a line{CTRL_C}"])
    def test_goodbye(self, screens: Screens, goodbye: str) -> None:
        """A goodbye ends both, with one key."""
        romeo, juliet = both(screens)
        typed(juliet, "juliet: ")
        juliet.writes(goodbye)
        assert (juliet.ends(), romeo.ends()) == (0, 0)
        assert juliet.rows[-1].endswith("Connection closed.")
        assert romeo.rows[-1].endswith("Connection closed by juliet.")
        assert juliet.is_tidy
        assert romeo.is_tidy

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_signal(self, screens: Screens, number: int) -> None:
        """So does a signal, also while a question is open."""
        romeo, juliet = both(screens)
        typed(juliet, "juliet: ")
        juliet.pastes("one\rtwo")
        juliet.shows("send these 2 lines? y/n")
        juliet.signal(number)
        juliet.ends()
        assert romeo.ends() == 0
        assert juliet.is_tidy
        assert not any("y/n" in row for row in juliet.rows)

    @pytest.mark.parametrize("goodbye", [CTRL_C, CTRL_D])
    def test_nobody(self, screens: Screens, goodbye: str) -> None:
        """Who waits or calls in vain can leave as well."""
        for screen, states in (
            (screens.romeo_on_screen(), "Listening"),
            (screens.juliet_on_screen(free_port()), "Calling"),
        ):
            screen.shows(states)
            screen.writes(goodbye)
            assert screen.ends() == 0
            assert screen.is_tidy

    def test_cannot_listen(self, screens: Screens) -> None:
        """A program that ends before there was a prompt leaves no trace of one."""
        port = screens.romeo_on_screen().port
        romeo = screens.romeo_on_screen(port=port)
        assert romeo.ends() != 0
        assert romeo.is_tidy
        assert "can't listen" in romeo.rows[0]

    @pytest.mark.parametrize("who", ["romeo", "juliet"])
    def test_lost(self, screens: Screens, who: str) -> None:
        """Who loses the terminal says goodbye and ends; the other sees that, and no broken connection."""
        romeo, juliet = both(screens)
        lost, other = (romeo, juliet) if who == "romeo" else (juliet, romeo)
        lost.writes("half a line")
        typed(lost, f"{who}: half a line")
        lost.hangs_up()
        assert lost.ends() == IO_ERROR
        assert other.ends() == 0
        assert other.rows[-1].endswith(f"Connection closed by {who}.")
        assert other.is_tidy

    def test_host_lost(self, screens: Screens) -> None:
        """A host of many who loses the terminal sends everybody home."""
        romeo = screens.romeo_on_screen("--guests", "5")
        guest = screens.caller(romeo.port)
        guest.hears("welcome to lobby")
        romeo.hangs_up()
        assert "* romeo is leaving" in guest.hears_all()
        assert romeo.ends() == IO_ERROR
