"""A conversation of two: the one who is here, and the other, who may come and go.

Both programs are this conversation. It is told what happened (`peer_came`, `said`, `input_ended`, …) and
tells its three neighbours what to do: `Here`, the keyboard and screen; `Peer`, the connection as long
as there is one; `Owner`, the program. How a goodbye goes:

- who is told to leave (``exit``, Ctrl-C, SIGTERM) sends what was said, closes its half and waits shortly;
- who comes to the end of its input does the same, but leaves the other `LAST_WORDS` seconds for the rest;
- who hears a goodbye answers with its own; a script first says the rest, until it falls silent.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

LAST_WORDS = 5.0
"""Seconds that the other has for what it still says, once all was said here."""

PROMPTLY = 1.0
"""Seconds of silence after which nothing more is expected, once a goodbye was said."""

GREETING = "* welcome to "
"""How one of the first lines of a host of many begins, after no other than notices."""

OUTBOX_LIMIT = 1024 * 1024
"""Characters that are kept while nobody is at the other end."""


class Peer(Protocol):
    """The other, while connected."""

    name: str
    address: str

    def say(self, text: str) -> None:
        """Send ``text``, lines joined by LF."""

    def command(self, line: str) -> None:
        """Send a command, without its slash."""

    def notice(self, text: str) -> None:
        """Tell the peer one line about the conversation itself."""

    def pause(self) -> None:
        """Stop reading from the peer."""

    def resume(self) -> None:
        """Read from the peer again."""

    def part(self, within: float, flushed_within: float | None) -> None:
        """Say goodbye: send all, close this half, be gone ``within`` seconds after that.

        Sending may take ``flushed_within`` seconds, or as long as it takes when that is None.
        """

    def end_within(self, seconds: float) -> None:
        """Send all and be gone after so many seconds; a later call replaces an earlier one."""


class Here(Protocol):
    """Keyboard and screen, where the program has them."""

    def show(self, author: str, text: str) -> None:
        """Show what ``author`` said, lines joined by LF."""

    def show_signed(self, author: str, text: str) -> None:
        """Show lines of ``author`` that say themselves who spoke."""

    def state(self, text: str) -> None:
        """Show one line about the conversation itself."""

    def invite(self) -> None:
        """Show that somebody is there to talk to."""

    def dismiss(self) -> None:
        """Show that nobody is there to talk to."""

    def pause(self) -> None:
        """Stop reading what is said here."""

    def resume(self) -> None:
        """Read on."""


class Owner(Protocol):
    """The program that the conversation belongs to."""

    def waiting(self, again: bool) -> None:
        """Nobody is at the other end: not yet, or not any more (``again``)."""

    def hurry(self) -> None:
        """The person here would like the other end to be reached now."""

    def over(self, whole: bool) -> None:
        """The conversation is over. ``whole``: as far as is known, what was said here has arrived."""


class Keyboard(Enum):
    """Where the words said here come from."""

    PERSON = auto()  # a terminal: read always
    SCRIPT = auto()  # a pipe or a file: read only while somebody is there
    NONE = auto()  # a service: nothing is said here


class Manner(Enum):
    """How the peer's lines are to be taken."""

    UNKNOWN = auto()  # nothing was said yet
    BARE = auto()  # as its own words
    SIGNED = auto()  # it is a host of many: each line says who spoke


class State(Enum):
    """Where a conversation stands."""

    WAITING = auto()  # nobody is at the other end
    TALKING = auto()
    FINISHED = auto()  # the input here ended, our goodbye is said; the other may still talk
    LEAVING = auto()  # told to leave, our goodbye is said
    LEFT = auto()  # the other said goodbye; a script here says the rest
    ANSWERED = auto()  # the other said goodbye, a script here has said the rest; closing
    PARTED = auto()  # both said goodbye, nothing more was to be said; closing
    OVER = auto()


_SAYING = {State.TALKING, State.LEFT}
_GOODBYE_SAID = {State.FINISHED, State.LEAVING, State.ANSWERED, State.PARTED}
_GOODBYE_HEARD = {State.LEFT, State.ANSWERED, State.PARTED}
_LINES_UNSURE = {State.FINISHED, State.LEFT, State.ANSWERED}  # where the connection breaks


class Conversation:
    """One conversation of two.

    ``hosts``: commands are obeyed here, not at the other end.
    ``stays``: when the other leaves, wait for the next instead of ending.
    """

    def __init__(self, here: Here, owner: Owner, keyboard: Keyboard, *, hosts: bool, stays: bool) -> None:
        self.state = State.WAITING
        self._here, self._owner = here, owner
        self._keyboard, self._hosts, self._stays = keyboard, hosts, stays
        self._peer: Peer | None = None
        self._outbox: list[str] = []
        self._outbox_size = 0
        self._screen_full = False
        self._manner = Manner.UNKNOWN

    @property
    def free(self) -> bool:
        """Whether a peer may come."""
        return self.state is State.WAITING

    def start(self) -> None:
        """Begin, with nobody at the other end."""
        self._wait(again=False)

    # what the peer does

    def peer_came(self, peer: Peer) -> None:
        """``peer`` is connected. Only when `free`."""
        self._peer, self.state, self._manner = peer, State.TALKING, Manner.UNKNOWN
        self._here.state(f"Connected to {peer.name} {peer.address}")
        if self._screen_full:
            peer.pause()
        if self._outbox:
            waiting, self._outbox, self._outbox_size = "\n".join(self._outbox), [], 0
            peer.say(waiting)
        self._here.invite()
        if self._keyboard is Keyboard.SCRIPT:
            self._here.resume()

    def peer_said(self, text: str) -> None:
        """The peer said ``text``, lines joined by LF."""
        if self._manner is Manner.UNKNOWN:
            self._manner = Manner.BARE if self._hosts else _manner(text)
        show = self._here.show_signed if self._manner is Manner.SIGNED else self._here.show
        show(self._other.name, text)

    def peer_commanded(self, word: str) -> None:
        """The peer asked for ``/word``."""
        self._other.notice(_no_such_command(word))

    def peer_left(self) -> None:
        """The peer closed its half, which is a goodbye; it may still listen."""
        if self.state is State.TALKING and self._keyboard is Keyboard.SCRIPT:
            self._hear_goodbye(State.LEFT)
            self._other.end_within(PROMPTLY)
        else:
            self.peer_said_goodbye()

    def peer_said_goodbye(self) -> None:
        """The peer said ``exit``, and listens no more."""
        if self.state is State.TALKING:
            self._hear_goodbye(State.PARTED)
        if self.state in _GOODBYE_SAID:
            self._part(self.state)

    def peer_gone(self, clean: bool) -> None:
        """The connection is gone: closed in good order (``clean``), or broken."""
        name, ending, self._peer = self._other.name, self.state, None
        self._here.dismiss()
        if ending is State.TALKING:
            self._here.state(f"Connection to {name} lost.")
        elif ending in (State.FINISHED, State.LEAVING):
            self._here.state("Connection closed.")
        if ending is State.TALKING or (self._stays and ending in _GOODBYE_HEARD):
            self._wait(again=True)
        else:
            self._end(whole=clean or ending not in _LINES_UNSURE)

    def peer_full(self) -> None:
        """The connection can take no more for now."""
        self._here.pause()
        if self.state is State.LEFT:
            self._other.end_within(LAST_WORDS)

    def peer_ready(self) -> None:
        """The connection can take more again."""
        if self.state is State.LEFT:
            self._other.end_within(PROMPTLY)
        if self.state in _SAYING:
            self._here.resume()

    # what happens here

    def said(self, text: str) -> None:
        """``text``, lines joined by LF, was said here."""
        if self.state is State.WAITING:
            self._keep(text)
        if self.state is State.LEFT:
            self._other.end_within(PROMPTLY)
        if self.state in _SAYING:
            self._other.say(text)

    def commanded(self, line: str, word: str) -> None:
        """The person here typed the command ``line``, which begins with ``word``."""
        if self._hosts:
            self._here.state(f"* {_no_such_command(word)}")
        elif self.state is State.TALKING:
            self._other.command(line)
        else:
            self._here.state(f"* not connected: /{word} was not sent")

    def enter(self) -> None:
        """The person here pressed Enter on an empty line."""
        if self.state is State.WAITING:
            self._owner.hurry()

    def input_ended(self) -> None:
        """Nothing more will be said here."""
        if self._stays and self._keyboard is Keyboard.SCRIPT:
            self._keyboard = Keyboard.NONE
        elif self.state is State.TALKING:
            self.state = State.FINISHED
            self._other.part(LAST_WORDS, None)
        elif self.state is State.WAITING:
            self._give_up()
        if self.state is State.LEFT:
            self._part(State.ANSWERED)

    def leave(self) -> None:
        """Say goodbye now, whatever else is under way."""
        self._stays = False
        if self.state is State.WAITING:
            self._give_up()
        elif self.state is not State.OVER:
            self._part(State.PARTED if self.state in _GOODBYE_HEARD else State.LEAVING)

    def here_full(self) -> None:
        """The screen can take no more for now."""
        self._screen_full = True
        if self._peer is not None:
            self._peer.pause()

    def here_ready(self) -> None:
        """The screen can take more again."""
        self._screen_full = False
        if self._peer is not None:
            self._peer.resume()

    def screen_lost(self) -> None:
        """Nobody sees any more what is shown here; a script still says the rest."""
        if self._keyboard is not Keyboard.SCRIPT:
            self.leave()

    @property
    def _other(self) -> Peer:
        assert self._peer is not None
        return self._peer

    def _keep(self, text: str) -> None:
        if self._outbox_size + len(text) > OUTBOX_LIMIT:
            self._here.state("* not said: too much is waiting already")
            return
        self._outbox.append(text)
        self._outbox_size += len(text) + 1
        self._owner.hurry()

    def _wait(self, again: bool) -> None:
        self.state = State.WAITING
        if self._keyboard is Keyboard.SCRIPT:
            self._here.pause()
        elif again:
            self._here.resume()  # the connection may have been full when it was lost
        self._owner.waiting(again)

    def _hear_goodbye(self, state: State) -> None:
        self.state = state
        self._here.dismiss()
        self._here.state(f"Connection closed by {self._other.name}.")

    def _part(self, state: State) -> None:
        self.state = state
        self._here.dismiss()
        self._other.part(PROMPTLY, LAST_WORDS)

    def _give_up(self) -> None:
        if self._outbox:
            self._here.state("* what was typed meanwhile was not sent")
        self._end(whole=True)

    def _end(self, whole: bool) -> None:
        self.state = State.OVER
        self._owner.over(whole)


def _no_such_command(word: str) -> str:
    return f"there is no command /{word}; // at the start of a line says a slash"


def _manner(text: str) -> Manner:
    """Return what the first lines say: a host of many may have notices before its greeting."""
    lines = text.split("\n")
    if any(line.startswith(GREETING) for line in lines):
        return Manner.SIGNED
    return Manner.UNKNOWN if all(line.startswith("* ") for line in lines) else Manner.BARE
