"""The operator in direct mode: a room with one client, which lives as long as that stays.

How a goodbye goes:

- an operator who leaves (``exit``, Ctrl-C, SIGTERM) sends what was said, closes its half and waits shortly;
- at the end of the input it does the same, but leaves the client `LAST_WORDS` seconds for the rest;
- a goodbye of the client is answered; a script first says the rest, until it falls silent.

What is said while nobody is connected waits in the log, and is the first that the next client is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall

from techboy.chat.conversation import LAST_WORDS, PROMPTLY, Keyboard, last_heard, lines_wait
from techboy.chat.member import Member
from techboy.chat.room import Room
from techboy.chat.server import House
from techboy.chat.status import Alone, Together
from techboy.net.read_pauser import Reason
from techboy.net.rendering import Delivery
from techboy.server.broker import Hall
from techboy.server.delivery import UNSTORED_LIMIT
from techboy.server.lifecycle import Client, ClientLifecycle, Farewell
from techboy.server.operator import HostsScreen, Seat
from techboy.storage.interface import Batch
from techboy.wire.frames import Bye
from techboy.wire.plain import in_room

WAITING_LIMIT = 1024 * 1024
"""Characters that a person may say while no client is connected."""

_LATEST = "latest client"
"""The name of a log that no room can have: its topic tells who that is, and where its messages begin."""


class Phase(Enum):
    """How far the conversation has got."""

    WAITING = auto()  # no client is connected
    WAITING_RESUME = auto()  # nor is one, and the input has ended, but not all of it may have arrived
    TALKING = auto()
    INPUT_DONE = auto()  # the input ended, our goodbye is said; the client may still talk
    LEAVING = auto()  # told to leave, our goodbye is said
    CLIENT_CLOSED = auto()  # the client said goodbye; a script says the rest
    CLOSING_AFTER_CLIENT = auto()  # the client said goodbye, a script has said the rest
    CLOSED_BOTH = auto()  # both said goodbye, nothing more was to be said
    OVER = auto()


class AfterClient(Enum):
    """What the server does when its client has left."""

    END = auto()
    WAIT = auto()  # for the next one


class Output(Enum):
    """What standard output is."""

    TERMINAL = auto()
    STREAM = auto()  # a pipe or a file, which gets what is said from now on and nothing else


class _Goodbye(Enum):
    """How far our goodbye has got."""

    NONE = auto()
    LAST_WORDS = auto()  # it is said when the client has everything, and the client's is waited for
    CLOSING = auto()  # the connection is closed when the client has everything


_ALONE = {Phase.WAITING, Phase.WAITING_RESUME}
_SAYING = {Phase.TALKING, Phase.CLIENT_CLOSED}
_GOODBYE_SAID = {Phase.INPUT_DONE, Phase.LEAVING, Phase.CLOSING_AFTER_CLIENT, Phase.CLOSED_BOTH}
_SILENT = _GOODBYE_SAID | {Phase.OVER}
_GOODBYE_HEARD = {Phase.CLIENT_CLOSED, Phase.CLOSING_AFTER_CLIENT, Phase.CLOSED_BOTH}
_UNSURE = {Phase.INPUT_DONE, Phase.CLIENT_CLOSED, Phase.CLOSING_AFTER_CLIENT}  # if the connection breaks


class Owner(Protocol):
    """The program that the conversation belongs to."""

    @property
    def last_word(self) -> Bye:
        """What a client is told when the program ends."""

    def leave(self) -> None:
        """Have the operator `DirectOperator.depart`."""

    def over(self, unsaid: str | None) -> None:
        """End. ``unsaid``: what is not known to have arrived, None if all is."""


class DirectOperator(Seat, ClientLifecycle):
    """The operator at this end, and what becomes of the conversation with its one client.

    ``said_lines``: how many lines the operator has said.
    """

    said_lines = 0

    def __init__(
        self,
        house: House,
        hall: Hall,
        bridge: HostsScreen,
        owner: Owner,
        keyboard: Keyboard,
        output: Output,
        after_client: AfterClient,
    ) -> None:
        super().__init__(house, hall, bridge, owner.leave)
        self._owner, self._keyboard, self._output, self._after_client = owner, keyboard, output, after_client
        self._phase, self._client = Phase.WAITING, None
        self._begin = house.lobby.log.last  # the id after which messages are the next client's
        self._latest = Room(_LATEST, house.logs.open(_LATEST), hall)
        self._goodbye, self._within = _Goodbye.NONE, 0.0
        self._deadline: IDelayedCall | None = None
        self._answered: Client | None = None
        self._waiting_size = 0
        self._alone_since = hall.clock.seconds()

    _client: Client | None
    _screen_full = False

    @property
    def is_free(self) -> bool:
        """Whether a client may enter."""
        return self._phase in _ALONE and self._client is None

    @property
    def standing(self) -> Alone | Together:
        """How the conversation stands."""
        client, waiting = self._client, self.lines_waiting
        if client is None:
            seconds = self._hall.clock.seconds() - self._alone_since
            return Alone("waiting for somebody to call", seconds, "", waiting)
        return Together(client.member.name, client.silence or 0.0, waiting)

    @property
    def lines_waiting(self) -> int:
        """How many lines wait for a client, if none is connected."""
        if self._client is not None:
            return 0
        return max(self._room.log.last + self._hall.waiting - self._begin, 0)

    @property
    def begin(self) -> int:
        """The id after which a new client is sent messages: what was said for nobody in particular."""
        return min(self._begin, self._room.log.last)

    def is_heard(self, member: Member) -> bool:
        """Return whether ``member`` is the client, and may still be heard, and be lost and come back."""
        here = self._client is not None and self._client.member is member
        return here and self._phase in (Phase.TALKING, Phase.INPUT_DONE)

    def is_latest(self, number: int) -> bool:
        """Return whether no client has entered since the one with that ``number``, at any time."""
        return self._latest.topic.split()[:1] == [str(number)]

    @property
    def latest_since(self) -> int:
        """The id after which the messages of the latest client begin."""
        return int(self._latest.topic.split()[1])

    def has_answered(self, client: Client) -> bool:
        """Return whether ``client`` said goodbye."""
        return client is self._answered

    def sit(self) -> None:
        """Be the operator, who is shown on a terminal what was said last."""
        self._member = self._house.enter(self, self._hall.wall(), host=True)
        self._cursor = self._room.log.last
        if self._output is Output.TERMINAL:
            self._show_history()
        if self._keyboard is Keyboard.SCRIPT:
            self._pauses.begin(Reason.CLIENT)

    # what the bridge calls

    def said(self, text: str) -> None:
        """Say ``text``, lines joined by LF: to the client, or to the next one."""
        if self._phase in _SILENT or not self._has_room_for(text):
            return
        super().said(text)
        self.said_lines += text.count("\n") + 1
        if self._phase is Phase.CLIENT_CLOSED:
            self._other.end_within(PROMPTLY)

    def commanded(self, line: str, word: str) -> None:
        """Obey the command ``line``; one that asks who is there is about the client."""
        if line.strip().lower() == "ping":
            self.tell([self._liveness()])
        else:
            super().commanded(line, word)

    def input_ended(self) -> None:
        """Nothing more will be said here."""
        if self._after_client is AfterClient.WAIT and self._keyboard is Keyboard.SCRIPT:
            self._keyboard = Keyboard.NONE
        elif self._phase is Phase.TALKING:
            self._finish()
        elif self._phase is Phase.WAITING:
            self._end(whole=True)
        if self._phase is Phase.CLIENT_CLOSED:
            self._part(Phase.CLOSING_AFTER_CLIENT)

    def here_full(self) -> None:
        """Read no more from the client."""
        self._screen_full = True
        if self._client is not None:
            self._client.pause()

    def here_ready(self) -> None:
        """Read from the client again."""
        self._screen_full = False
        if self._client is not None:
            self._client.resume()

    def screen_lost(self) -> None:
        """Nobody sees any more what is shown here; a script still says the rest."""
        if self._keyboard is not Keyboard.SCRIPT:
            self.leave()

    # what the program calls

    def depart(self, flushed_within: float = LAST_WORDS) -> None:
        """Say goodbye now, whatever else is under way; what was said may take so many seconds to be sent."""
        self._after_client = AfterClient.END
        if self._phase in _ALONE:
            self._end(whole=True)
        elif self._phase is not Phase.OVER:
            heard = self._phase in _GOODBYE_HEARD
            self._part(Phase.CLOSED_BOTH if heard else Phase.LEAVING, flushed_within)

    # what the house calls

    def recall(self, batches: list[Batch]) -> bool:
        """Show what was said before, but not on a standard output that others read."""
        if self._output is Output.TERMINAL:
            return super().recall(batches)
        for batch in batches:
            when = f"[{self._house.clock(batch.at)}] "
            for line in in_room(batch.author, batch.kind, batch.text).split("\n"):
                self._bridge.state(when + line)
        return True

    def not_stored(self, why: str) -> None:
        """Tell the operator, or whoever reads along, and end with a status that tells of it."""
        self._bridge.refuse(f"* not stored, and not said: {why}; say it again later")
        self._wait_for(0)
        self._bridge.unsaid()
        self._pauses.end(Reason.STORE)
        self._hall.wake(self._latest)  # as that was not stored either
        self._look_at_client()

    # what the hall calls

    def hear(self, delivery: Delivery) -> None:
        """Show what was said, and see whether the client can take more."""
        super().hear(delivery)
        if delivery.batches:
            self._hall.clock.callLater(0, self._look_at_client)

    # what clients' connections call

    def first_offset(self, member: Member) -> int:
        """Return where a new client begins."""
        return self.begin

    def entered(self, client: Client) -> None:
        """Begin to talk, or go on."""
        if self._client is not None:
            self._client_lost(self._client, self._begin_now)
        resumed = self._phase is Phase.WAITING_RESUME
        self._client, self._phase = client, Phase.TALKING
        self._goodbye, self._answered = _Goodbye.NONE, None
        self._note_latest(client)
        self._bridge.state(f"Connected to {client.member.name} {client.address}")
        if self._screen_full:
            client.pause()
        self._waiting_size = 0
        self._wait_for(0)
        self._bridge.invite()
        if resumed:
            self._finish()
        else:
            self._pauses.end(Reason.CLIENT)

    def caught_up(self, client: Client) -> None:
        """The client has everything: go on, or part if that was waited for."""
        if client is self._client:
            if self._unstored_size <= UNSTORED_LIMIT:
                self._client_ready()
            self._part_if_all_is_said()

    def said_goodbye(self, client: Client, how: Farewell) -> None:
        """Answer, once everything is shown that the client said before."""
        if how is Farewell.LISTENS_NO_MORE:
            client.is_over()
        self._answered = client
        self._when_shown(partial(self._goodbye_heard, client, how))

    def closing(self, client: Client) -> None:
        """The client was kicked, or quit."""
        self._when_shown(partial(self._closed_by_command, client))

    def displaced(self, client: Client) -> None:
        """Begin anew: another connection speaks for the client, and is sent again what this one was."""
        if client is not self._client:
            return
        self._bridge.dismiss()
        self._client = None
        if self._phase in (Phase.TALKING, Phase.INPUT_DONE):
            self._phase = Phase.WAITING if self._phase is Phase.TALKING else Phase.WAITING_RESUME
        else:
            self._end(whole=not self._room.log.last > self._begin)

    def gone(self, client: Client, *, clean: bool) -> None:
        """The connection is gone: wait for the next one, or end."""
        self._when_shown(partial(self._client_gone, client, clean, self._begin_now))

    def lost(self, client: Client) -> None:
        """The connection is gone, and the client may come back."""
        self._when_shown(partial(self._client_lost, client, self._begin_now))

    def replaced(self) -> None:
        """The client comes back by another connection, before this one is known to be lost."""
        self._client_lost(self._other, self._begin_now)

    def given_up(self) -> None:
        """A client that was lost is not waited for any longer."""
        if self._phase is Phase.WAITING_RESUME:
            self._end(whole=False)

    @property
    def _other(self) -> Client:
        assert self._client is not None
        return self._client

    @property
    def _unstored_size(self) -> int:
        return 0 if self._member is None else self._member.unstored

    @property
    def _begin_now(self) -> int:
        """The id that the last line has that was said until now."""
        return self._room.log.last + self._hall.waiting

    def _when_shown(self, act: Callable[[], None]) -> None:
        """Do ``act`` when all is shown that was said before; at once if the program does not wait for it."""
        if self._phase is Phase.LEAVING:
            act()
        else:
            self._hall.when_settled(act)

    def _has_room_for(self, text: str) -> bool:
        """Return whether ``text`` can be said, or tell a person that too much waits for a client."""
        if self._client is None:
            if self._keyboard is Keyboard.PERSON and self._waiting_size > WAITING_LIMIT:
                self._bridge.state("* not said: too much is waiting already")
                return False
            self._waiting_size += len(text)
        return True

    def _wait_for(self, lines: int) -> None:
        """Show how many of the lines said here wait: to be stored, or for a client."""
        self._unstored = lines
        self._bridge.unstored(lines if self._client is not None else self.lines_waiting)

    def _liveness(self) -> str:
        client, waiting = self._client, lines_wait(self.lines_waiting)
        if client is None:
            return f"not connected; {waiting}"
        return f"{last_heard(client.member.name, client.silence or 0.0)}; {waiting}"

    def _note_latest(self, client: Client) -> None:
        """Remember whose the messages are that follow, and from where on they are."""
        member = client.member
        if not self.is_latest(member.number):
            self._latest.topic = f"{member.number} {client.cursor}"
            self._hall.wake(self._latest)
        member.since = self.latest_since

    def _look_at_client(self) -> None:
        client = self._client
        if client is None:
            return
        if client.has_everything and self._unstored_size <= UNSTORED_LIMIT:
            self.caught_up(client)
        else:
            self._client_full()

    def _client_full(self) -> None:
        self._pauses.begin(Reason.CLIENT)
        if self._phase is Phase.CLIENT_CLOSED:
            self._other.end_within(LAST_WORDS)

    def _client_ready(self) -> None:
        if self._phase is Phase.CLIENT_CLOSED:
            self._other.end_within(PROMPTLY)
        if self._phase in _SAYING:
            self._pauses.end(Reason.CLIENT)

    def _goodbye_heard(self, client: Client, how: Farewell) -> None:
        if client is not self._client:
            return
        if self._phase is Phase.TALKING and self._keyboard is Keyboard.SCRIPT and how is Farewell.LISTENS:
            self._hear_goodbye(Phase.CLIENT_CLOSED)
            client.end_within(PROMPTLY)
            return
        if self._phase is Phase.TALKING:
            self._hear_goodbye(Phase.CLOSED_BOTH)
        if self._phase in _GOODBYE_SAID:
            self._part(self._phase)

    def _hear_goodbye(self, phase: Phase) -> None:
        self._phase = phase
        self._bridge.dismiss()
        self._bridge.state(f"Connection closed by {self._other.member.name}.")

    def _closed_by_command(self, client: Client) -> None:
        if client is self._client and self._phase in (Phase.TALKING, Phase.CLIENT_CLOSED):
            self._phase = Phase.CLOSED_BOTH
            self._bridge.dismiss()
            self._bridge.state("Connection closed.")

    def _client_gone(self, client: Client, clean: bool, begin: int) -> None:
        if client is not self._client:
            return
        ending = self._forget_client()
        if ending is Phase.TALKING:
            self._bridge.state(f"Connection to {client.member.name} lost.")
        elif ending in (Phase.INPUT_DONE, Phase.LEAVING):
            self._bridge.state("Connection closed.")
        waits = self._after_client is AfterClient.WAIT and ending in _GOODBYE_HEARD
        if ending is Phase.TALKING or waits:
            self._wait(Phase.WAITING, begin)
        else:
            self._begin = self._room.log.last
            self._end(whole=clean or ending not in _UNSURE)

    def _client_lost(self, client: Client, begin: int) -> None:
        if self._phase not in (Phase.TALKING, Phase.INPUT_DONE):
            self._client_gone(client, True, begin)
        elif client is self._client:
            ending = self._forget_client()
            self._bridge.state(f"Connection to {client.member.name} lost.")
            self._wait(Phase.WAITING if ending is Phase.TALKING else Phase.WAITING_RESUME, begin)

    def _forget_client(self) -> Phase:
        """Have no client any more; return the phase in which it was."""
        self._client = None
        self._stop_deadline()
        self._bridge.dismiss()
        return self._phase

    def _wait(self, phase: Phase, begin: int) -> None:
        """Wait for a client, which is sent what was said after the id ``begin``."""
        self._phase, self._begin = phase, min(begin, self._room.log.last)
        self._alone_since = self._hall.clock.seconds()
        if self._keyboard is Keyboard.SCRIPT:
            self._pauses.begin(Reason.CLIENT)
        else:
            self._pauses.end(Reason.CLIENT)  # the connection may have been full when it was lost

    def _finish(self) -> None:
        """Say goodbye after the last of the input, and leave the client the time for its last words."""
        self._phase = Phase.INPUT_DONE
        self._say_goodbye(_Goodbye.LAST_WORDS, LAST_WORDS, None)

    def _part(self, phase: Phase, flushed_within: float = LAST_WORDS) -> None:
        self._phase = phase
        self._bridge.dismiss()
        self._say_goodbye(_Goodbye.CLOSING, PROMPTLY, flushed_within)

    def _say_goodbye(self, goodbye: _Goodbye, within: float, flushed_within: float | None) -> None:
        """Say it when the client has everything, or after ``flushed_within`` seconds; see `Parting`."""
        self._goodbye, self._within = goodbye, within
        self._stop_deadline()
        if flushed_within is not None:
            self._deadline = self._hall.clock.callLater(flushed_within, self._close)
        self._part_if_all_is_said()

    def _part_if_all_is_said(self) -> None:
        client = self._client
        if client is None or self._unstored_size or not client.has_everything:
            return
        if self._goodbye is _Goodbye.CLOSING:
            self._close()
        elif self._goodbye is _Goodbye.LAST_WORDS and self._deadline is None:
            self._deadline = self._hall.clock.callLater(self._within, self._close)
            client.say_last_words(self._within)

    def _close(self) -> None:
        self._stop_deadline()
        if self._client is not None:
            self._client.take_leave(self._owner.last_word, self._within)

    def _stop_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _end(self, *, whole: bool) -> None:
        lines = self.lines_waiting
        self._phase = Phase.OVER
        self._stop_deadline()
        self._owner.over(_unsaid(lines, whole=whole))


def _unsaid(lines: int, *, whole: bool) -> str | None:
    """Return what has become of what was said here and is not known to have arrived, None if all has."""
    if lines:
        return f"{lines} line{' was' if lines == 1 else 's were'} not sent"
    return None if whole else "the connection ended too soon: the last lines may not have arrived"
