"""The operator in direct mode: a room with one client, which lives as long as that stays.

How a goodbye goes:

- an operator who leaves (``exit``, Ctrl-C, SIGTERM) sends what was said, closes its half and waits shortly;
- at the end of the input it does the same, but leaves the client `LAST_WORDS` seconds for the rest;
- a goodbye of the client is answered; a script first says the rest, until it falls silent.

What is said while nobody is connected waits in the log, and is the first that the next client is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from techboy.chat.conversation import LAST_WORDS, PROMPTLY, Keyboard, last_heard, lines_wait
from techboy.chat.member import Member
from techboy.chat.phase import Phase
from techboy.chat.policy import AfterClient
from techboy.chat.room import Room
from techboy.chat.server import House
from techboy.chat.status import Alone, Together, unsaid
from techboy.net.read_pauser import Reason
from techboy.net.rendering import Delivery
from techboy.server.broker import Hall
from techboy.server.delivery import UNSTORED_LIMIT
from techboy.server.farewell import ServerFarewell
from techboy.server.latest_client import LatestClient
from techboy.server.lifecycle import Client, ClientLifecycle, Farewell, Owner
from techboy.server.operator import HostsScreen, Output, Seat
from techboy.storage.interface import TEXT, Batch

WAITING_LIMIT = 1024 * 1024
"""Characters that a person may say while no client is connected."""


class DirectOperator(Seat, ClientLifecycle):
    """The operator at this end, and what becomes of the conversation with its one client."""

    def __init__(
        self,
        house: House,
        hall: Hall,
        bridge: HostsScreen,
        owner: Owner,
        keyboard: Keyboard,
        output: Output,
    ) -> None:
        super().__init__(house, hall, bridge, owner.leave, output)
        self._owner, self._keyboard = owner, keyboard
        self._after_client = house.rules.policy.after_client
        self._phase, self._client = Phase.WAITING, None
        self._begin = house.lobby.log.last  # the id after which messages are the next client's
        self.latest = LatestClient(house, hall)
        self._farewell = ServerFarewell(hall.clock, lambda: owner.last_word)
        self._waiting_size = 0
        self._alone_since = hall.clock.seconds()

    _client: Client | None
    _answered: Client | None = None
    _screen_full = False

    @property
    def is_free(self) -> bool:
        """Whether a client may enter."""
        return self._phase.is_alone and self._client is None

    @property
    def standing(self) -> Alone | Together:
        """How the conversation stands."""
        client, waiting = self._client, self.lines_waiting
        if client is None:
            seconds = self._hall.clock.seconds() - self._alone_since
            return Alone("waiting for a client", seconds, "", waiting)
        return Together(client.member.name, client.silence or 0.0, waiting)

    @property
    def lines_waiting(self) -> int:
        """How many lines wait for a client, if none is connected."""
        if self._client is not None:
            return 0
        return max(self._begin_now - self._begin, 0)

    def is_heard(self, member: Member) -> bool:
        """Return whether ``member`` is the client, and may still be heard, and be lost and come back."""
        here = self._client is not None and self._client.member is member
        return here and self._phase.hears

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

    def said(self, text: str, kind: str = TEXT) -> None:
        """Say ``text``, lines of one ``kind`` joined by LF: to the client, or to the next one."""
        if self._phase.has_said_goodbye or self._phase is Phase.OVER or not self._has_room_for(text):
            return
        super().said(text, kind)
        if self._phase is Phase.CLIENT_CLOSED and self._client is not None:
            self._client.end_within(PROMPTLY)

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
        if self._phase.is_alone:
            self._end(whole=True)
        elif self._phase is not Phase.OVER:
            heard = self._phase.has_heard_goodbye
            self._part(Phase.CLOSED_BOTH if heard else Phase.LEAVING, flushed_within)

    # what the house calls

    def not_stored(self, why: str) -> None:
        """Tell the operator, or whoever reads along, and end with a status that tells of it."""
        self._bridge.refuse(f"* not stored, and not said: {why}; say it again later")
        self._wait_for(0)
        self._bridge.unsaid()
        self._pauses.end(Reason.STORE)
        self.latest.store()  # which was not, either
        self._look_at_client()

    # what the hall calls

    def hear(self, delivery: Delivery) -> None:
        """Show what was said, and see whether the client can take more."""
        super().hear(delivery)
        if delivery.batches:
            self._hall.clock.callLater(0, self._look_at_client)

    # what clients' connections call

    def first_offset(self, room: Room) -> int:
        """Return the id after which a new client is sent messages: what was said for nobody in particular."""
        return min(self._begin, room.log.last)

    def entered(self, client: Client) -> None:
        """Begin to talk, or go on."""
        self.replaced()  # if it is not known yet that the client's earlier connection is lost
        resumed = self._phase is Phase.WAITING_RESUME
        self._client, self._phase = client, Phase.TALKING
        self._farewell.start(client)
        self._answered = None
        self.latest.note(client.member.number, client.cursor)
        client.member.since = self.latest.since
        self._bridge.state(f"Connected to {client.member.name} {client.address}")
        if self._screen_full:
            client.pause()
        self._waiting_size = 0
        self._wait_for(self._unstored)
        self._bridge.invite()
        if resumed:
            self._finish()
        else:
            self._pauses.end(Reason.CLIENT)

    def caught_up(self, client: Client) -> None:
        """The client has everything: go on, or part if that was waited for."""
        if client is self._client:
            self._look_at_client()

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
        if self._phase.hears:
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
        if self._client is not None:
            self._client_lost(self._client, self._begin_now)

    def given_up(self) -> None:
        """A client that was lost is not waited for any longer."""
        if self._phase is Phase.WAITING_RESUME:
            self._end(whole=False)

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

    def _show_said(self, batch: Batch, *, past: bool = False) -> None:
        """Show what the client said; a stream is not shown what the operator said at the admin socket."""
        if self._output is Output.TERMINAL or self._member is None or batch.author != self._member.name:
            super()._show_said(batch, past=past)

    def _liveness(self) -> str:
        client, waiting = self._client, lines_wait(self.lines_waiting)
        if client is None:
            return f"not connected; {waiting}"
        return f"{last_heard(client.member.name, client.silence or 0.0)}; {waiting}"

    def _look_at_client(self) -> None:
        """Read no more from the keyboard while the client is behind; part if that was waited for."""
        client = self._client
        if client is None:
            return
        is_ready = client.has_everything and self._unstored_size <= UNSTORED_LIMIT
        if self._phase is Phase.CLIENT_CLOSED:
            client.end_within(PROMPTLY if is_ready else LAST_WORDS)
        if not is_ready:
            self._pauses.begin(Reason.CLIENT)
        elif self._phase.says:
            self._pauses.end(Reason.CLIENT)
        self._part_if_all_is_said()

    def _goodbye_heard(self, client: Client, how: Farewell) -> None:
        if client is not self._client:
            return
        if self._phase is Phase.TALKING and self._keyboard is Keyboard.SCRIPT and how is Farewell.LISTENS:
            self._hear_goodbye(client, Phase.CLIENT_CLOSED)
            client.end_within(PROMPTLY)
            return
        if self._phase is Phase.TALKING:
            self._hear_goodbye(client, Phase.CLOSED_BOTH)
        if self._phase.has_said_goodbye:
            self._part(self._phase)

    def _hear_goodbye(self, client: Client, phase: Phase) -> None:
        self._phase = phase
        self._bridge.dismiss()
        self._bridge.state(f"Connection closed by {client.member.name}.")

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
        waits = self._after_client is AfterClient.WAIT and ending.has_heard_goodbye
        if ending is Phase.TALKING or waits:
            self._wait(Phase.WAITING, begin)
        else:
            self._end(whole=clean or not ending.is_unsure)

    def _client_lost(self, client: Client, begin: int) -> None:
        if not self._phase.hears:
            self._client_gone(client, True, begin)
        elif client is self._client:
            ending = self._forget_client()
            self._bridge.state(f"Connection to {client.member.name} lost.")
            self._wait(Phase.WAITING if ending is Phase.TALKING else Phase.WAITING_RESUME, begin)

    def _forget_client(self) -> Phase:
        """Have no client any more; return the phase in which it was."""
        self._client = None
        self._farewell.start(None)
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
        self._farewell.leave_last_words(LAST_WORDS)
        self._part_if_all_is_said()

    def _part(self, phase: Phase, flushed_within: float = LAST_WORDS) -> None:
        self._phase = phase
        self._bridge.dismiss()
        self._farewell.close(PROMPTLY, flushed_within)
        self._part_if_all_is_said()

    def _part_if_all_is_said(self) -> None:
        client = self._client
        if client is not None and not self._unstored_size and client.has_everything:
            self._farewell.go_on()

    def _end(self, *, whole: bool) -> None:
        lines = self.lines_waiting if self._phase.is_alone else 0
        self._phase = Phase.OVER
        self._farewell.start(None)
        self._owner.over(unsaid(lines) if lines or not whole else None)
