"""The client's conversation: the one who is here, and the server at the other end, which may come and go.

It is told what happened (`peer_connected`, `said`, `input_ended`, …) and
tells its three neighbours what to do: `UserInterface`, the keyboard and screen; `Peer`, the connection, if
there is one; `ConversationDelegate`, the program. How a goodbye goes:

- who is told to leave (``exit``, Ctrl-C, SIGTERM) sends what was said, closes its half and waits shortly;
- who comes to the end of its input does the same, but leaves the other `LAST_WORDS` seconds for the rest;
- who hears a goodbye answers with its own; a script first says the rest, until it falls silent.

What is said goes through an `Outbox`. Where the other end acknowledges what it has stored, it waits there
until then, whatever becomes of connections; a ``patient`` conversation lets it wait before the first one
too.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from functools import wraps
from typing import Concatenate, ParamSpec

from techboy.chat.goodbye import LAST_WORDS, PROMPTLY
from techboy.chat.messages import Message
from techboy.chat.status import last_heard, lines_wait
from techboy.client.conversation_state import (
    ALONE,
    GOODBYE_HEARD,
    GOODBYE_SAID,
    LEAVING,
    LINES_UNSURE,
    SAYING,
    SILENT,
    ConversationState,
    IllegalEventError,
)
from techboy.client.outbox import Chunk, Outbox
from techboy.client.peer import ConversationDelegate, Peer
from techboy.storage.interface import TEXT, StorageError
from techboy.terminal.interface import InputSource, UserInterface

GREETING = "* welcome to "
"""How one of the first lines of a host of many begins, after no other than notices."""


class PeerFormat(Enum):
    """How the peer's lines are to be taken."""

    UNKNOWN = auto()  # nothing was said yet
    BARE = auto()  # as its own words
    SIGNED = auto()  # it is a host of many: each line says who spoke


P = ParamSpec("P")


def of_peer(
    event: Callable[Concatenate[Conversation, P], None],
) -> Callable[Concatenate[Conversation, P], None]:
    """Make ``event`` raise IllegalEventError while nobody is at the other end."""

    @wraps(event)
    def checked(self: Conversation, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if self.peer is None:
            raise IllegalEventError(f"{event.__name__} in the state {self.state.name}, without a peer")
        event(self, *args, **kwargs)

    return checked


class Conversation:
    """One conversation of two.

    There is one peer at a time: `peer_connected` raises IllegalEventError unless the conversation is `free`.
    So does each event of a connection while there is no peer.

    ``patient``: a script is read, and its end waited for, also while nobody is at the other end.
    """

    def __init__(
        self,
        ui: UserInterface,
        owner: ConversationDelegate,
        keyboard: InputSource,
        outbox: Outbox,
        *,
        patient: bool = False,
    ) -> None:
        self.state = ConversationState.WAITING
        self._ui, self._owner = ui, owner
        self._keyboard, self._patient, self._outbox = keyboard, patient, outbox
        self._peer: Peer | None = None
        self._screen_full = False
        self._manner = PeerFormat.UNKNOWN

    @property
    def free(self) -> bool:
        """Whether a peer may come."""
        return self.state in ALONE

    @property
    def peer(self) -> Peer | None:
        """Who is at the other end."""
        return self._peer

    @property
    def is_talking(self) -> bool:
        """Whether the peer may still say something that is heard, and be lost and come back."""
        return self.state in (ConversationState.TALKING, ConversationState.FINISHED)

    def start(self) -> None:
        """Begin, with nobody at the other end."""
        self._wait(again=False)

    # what the peer does

    def peer_connected(self, peer: Peer) -> None:
        """``peer`` is connected. Only when `free`."""
        if not self.free:
            raise IllegalEventError(f"peer_came in the state {self.state.name}")
        finished = self.state is ConversationState.EXPECTED
        self._peer, self.state, self._manner = peer, ConversationState.TALKING, PeerFormat.UNKNOWN
        self._ui.show_status(f"Connected to {peer.name} {peer.address}")
        if self._screen_full:
            peer.pause()
        peer.send_from(self._outbox)
        self._ui.set_pending_lines(self._outbox.lines)
        self._ui.show_prompt()
        if finished:
            self._finish()
        elif self._keyboard is InputSource.SCRIPT:
            self._read_on()

    def peer_hosts_many(self) -> None:
        """The peer speaks for others too."""
        self._ui.enable_author_names()

    @of_peer
    def peer_said(self, text: str) -> None:
        """The peer said ``text``, lines joined by LF."""
        if self._manner is PeerFormat.UNKNOWN:
            self._manner = _manner(text)
        show = self._ui.show_prefixed_lines if self._manner is PeerFormat.SIGNED else self._ui.show_lines
        show(self._other.name, text)

    def peer_assigned_nick(self, name: str) -> None:
        """The peer has a name for whoever is here."""
        self._ui.set_nick(name)

    def peer_message(self, words: Message) -> None:
        """The peer passes on what somebody said."""
        self._ui.show_message(words)

    def peer_notice(self, text: str) -> None:
        """The peer tells a line about the conversation."""
        self._ui.show_status(f"* {text}")

    def peer_refused(self, text: str) -> None:
        """The peer did not take a line, which is not sent again."""
        self._ui.show_rejection(f"* {text}")

    @of_peer
    def peer_acknowledged(self) -> None:
        """The peer has stored some of what was said here."""
        self._ui.set_pending_lines(self._outbox.lines)
        if self.state in SAYING:
            self._read_on()

    @of_peer
    def peer_left(self) -> None:
        """The peer closed its half, which is a goodbye; it may still listen."""
        if self.state is ConversationState.TALKING and self._keyboard is InputSource.SCRIPT:
            self._hear_goodbye(ConversationState.LEFT)
            self._other.limit_close(PROMPTLY)
        else:
            self.peer_said_goodbye()

    @of_peer
    def peer_said_goodbye(self) -> None:
        """The peer said ``exit``, and listens no more."""
        if self.state is ConversationState.TALKING:
            self._hear_goodbye(ConversationState.PARTED)
        if self.state in GOODBYE_SAID:
            self._part(self.state)

    @of_peer
    def peer_gone(self, clean: bool) -> None:
        """The connection is gone: closed in good order (``clean``), or broken."""
        name, ending, self._peer = self._other.name, self.state, None
        self._ui.hide_prompt()
        if ending is ConversationState.TALKING:
            self._ui.show_status(f"Connection to {name} lost.")
        elif ending in (ConversationState.FINISHED, ConversationState.LEAVING):
            self._ui.show_status("Connection closed.")
        if ending is ConversationState.TALKING:
            self._wait(again=True)
        else:
            self._end(whole=clean or ending not in LINES_UNSURE)

    @of_peer
    def peer_lost(self) -> None:
        """The connection is gone, and may come back; what is not stored then is sent again."""
        ending = self.state
        if ending is ConversationState.TALKING or (
            ending is ConversationState.FINISHED and self._outbox.lines
        ):
            self._ui.hide_prompt()
            self._ui.show_status(f"Connection to {self._other.name} lost.")
            self._peer = None
            self._wait(
                again=True,
                state=ConversationState.WAITING
                if ending is ConversationState.TALKING
                else ConversationState.EXPECTED,
            )
        else:
            self.peer_gone(clean=True)

    @of_peer
    def peer_displaced(self, unheard: list[Chunk]) -> None:
        """The peer gave its connection to another, which is sent what was not understood."""
        self._ui.hide_prompt()
        self._peer = None
        if self.state in LEAVING:
            self._end(whole=not unheard)
            return
        self.state = (
            ConversationState.EXPECTED
            if self.state is ConversationState.FINISHED
            else ConversationState.WAITING
        )
        for chunk in unheard:
            self._kept(chunk.text, chunk.kind)

    @of_peer
    def peer_full(self) -> None:
        """The connection can take no more for now."""
        self._ui.pause()
        if self.state is ConversationState.LEFT:
            self._other.limit_close(LAST_WORDS)

    @of_peer
    def peer_ready(self) -> None:
        """The connection can take more again."""
        if self.state is ConversationState.LEFT:
            self._other.limit_close(PROMPTLY)
        if self.state in SAYING:
            self._read_on()

    # what happens here

    def said(self, text: str, kind: str = TEXT) -> None:
        """``text``, lines of one ``kind`` joined by LF, was said here."""
        if self.state in SILENT or not self._kept(text, kind):
            return
        self._ui.show_sent(text, kind)
        if self.state is ConversationState.LEFT:
            self._other.limit_close(PROMPTLY)
        if self.state in SAYING:
            self._other.send_from(self._outbox)
        elif self._keyboard is InputSource.PERSON:
            self._owner.hurry()
        self._ui.set_pending_lines(self._outbox.lines)
        if self._outbox.full and self._keyboard is InputSource.SCRIPT:
            self._ui.pause()

    def commanded(self, line: str, word: str) -> None:
        """The person here typed the command ``line``, which begins with ``word``."""
        if word.lower() == "ping":
            self._ui.show_status(f"* {self._liveness()}")
        elif self.state is ConversationState.TALKING:
            self._other.command(line)
        else:
            self._ui.show_status(f"* not connected: /{word} was not sent")

    def enter(self) -> None:
        """The person here pressed Enter on an empty line."""
        if self.state is ConversationState.WAITING:
            self._owner.hurry()

    def input_ended(self) -> None:
        """Nothing more will be said here."""
        if self.state is ConversationState.TALKING:
            self._finish()
        elif (
            self.state is ConversationState.WAITING and self._patient and self._keyboard is InputSource.SCRIPT
        ):
            self.state = ConversationState.EXPECTED
        elif self.state is ConversationState.WAITING:
            self._end(whole=True)
        if self.state is ConversationState.LEFT:
            self._part(ConversationState.ANSWERED)

    def leave(self, flushed_within: float = LAST_WORDS) -> None:
        """Say goodbye now, whatever else is under way; what was said may take so many seconds to be sent."""
        if self.state in ALONE:
            self._end(whole=True)
        elif self.state is not ConversationState.OVER:
            self._part(
                ConversationState.PARTED if self.state in GOODBYE_HEARD else ConversationState.LEAVING,
                flushed_within,
            )

    def abandon(self) -> None:
        """End now, without a goodbye: the other end does not answer."""
        if self.state in ALONE:
            self._end(whole=True)
        elif self.state is not ConversationState.OVER:
            self.state = ConversationState.LEAVING
            self._other.abort()

    def output_full(self) -> None:
        """The screen can take no more for now."""
        self._screen_full = True
        if self._peer is not None:
            self._peer.pause()

    def output_ready(self) -> None:
        """The screen can take more again."""
        self._screen_full = False
        if self._peer is not None:
            self._peer.resume()

    def output_written(self) -> None:
        """Everything that was to be shown so far is."""
        self._owner.shown()

    def output_lost(self) -> None:
        """Nobody sees any more what is shown here; a script still says the rest."""
        if self._keyboard is not InputSource.SCRIPT:
            self.leave()

    @property
    def _other(self) -> Peer:
        assert self._peer is not None
        return self._peer

    def _liveness(self) -> str:
        peer, waiting = self._peer, lines_wait(self._outbox.lines)
        return (
            f"not connected; {waiting}"
            if peer is None
            else f"{last_heard(peer.name, peer.idle_seconds)}; {waiting}"
        )

    def _kept(self, text: str, kind: str) -> bool:
        try:
            kept = self._outbox.add(text, kind, always=self._keyboard is InputSource.SCRIPT)
        except StorageError as refused:
            self._owner.not_kept(str(refused))
            return False
        if not kept:
            self._ui.show_status("* message not sent: too much is waiting. Try again later.")
        return kept

    def _wait(self, again: bool, state: ConversationState = ConversationState.WAITING) -> None:
        self.state = state
        if self._keyboard is InputSource.SCRIPT and not self._patient:
            self._ui.pause()
        elif again:
            self._read_on()  # the connection may have been full when it was lost
        self._owner.waiting(again)

    def _read_on(self) -> None:
        if not self._outbox.full:
            self._ui.resume()

    def _finish(self) -> None:
        self.state = ConversationState.FINISHED
        self._other.part(LAST_WORDS, None)

    def _hear_goodbye(self, state: ConversationState) -> None:
        self.state = state
        self._ui.hide_prompt()
        self._ui.show_status(f"Connection closed by {self._other.name}.")

    def _part(self, state: ConversationState, flushed_within: float = LAST_WORDS) -> None:
        self.state = state
        self._ui.hide_prompt()
        self._other.part(PROMPTLY, flushed_within)

    def _end(self, whole: bool) -> None:
        self.state = ConversationState.OVER
        self._owner.over(whole and not self._outbox.lines)


def _manner(text: str) -> PeerFormat:
    """Return what the first lines say: a host of many may have notices before its greeting."""
    lines = text.split("\n")
    if any(line.startswith(GREETING) for line in lines):
        return PeerFormat.SIGNED
    return PeerFormat.UNKNOWN if all(line.startswith("* ") for line in lines) else PeerFormat.BARE
