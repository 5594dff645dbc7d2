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

from techboy.chat.goodbye import LAST_WORDS, PROMPTLY
from techboy.chat.member import Member
from techboy.chat.phase import DirectPhase
from techboy.chat.policy import AfterClient
from techboy.chat.room import Room
from techboy.chat.server import ChatServer
from techboy.chat.status import Connected, Disconnected, last_heard, lines_wait, unsent_notice
from techboy.net.read_pauser import PauseReason
from techboy.net.rendering import Delivery
from techboy.server.broker import Broker
from techboy.server.delivery import UNSTORED_LIMIT
from techboy.server.farewell import ServerFarewell
from techboy.server.latest_client import LatestClient
from techboy.server.lifecycle import ClientLifecycle, DirectClient, DirectServer, Farewell
from techboy.server.operator import LocalOperator, OperatorScreen, Output
from techboy.storage.interface import TEXT, MessageBatch
from techboy.terminal.interface import InputSource

WAITING_LIMIT = 1024 * 1024
"""Characters that a person may say while no client is connected."""


class DirectOperator(LocalOperator, ClientLifecycle):
    """The operator at this end, and what becomes of the conversation with its one client."""

    def __init__(
        self,
        chat: ChatServer,
        broker: Broker,
        bridge: OperatorScreen,
        owner: DirectServer,
        keyboard: InputSource,
        output: Output,
    ) -> None:
        super().__init__(chat, broker, bridge, owner.leave, output)
        self._owner, self._keyboard = owner, keyboard
        self._after_client = chat.config.policy.after_client
        self._phase, self._client = DirectPhase.WAITING, None
        self._begin = chat.lobby.log.last  # the id after which messages are the next client's
        self.latest = LatestClient(chat, broker)
        self._farewell = ServerFarewell(broker.clock, lambda: owner.closing_bye)
        self._waiting_size = 0
        self._alone_since = broker.clock.seconds()

    _client: DirectClient | None
    _answered: DirectClient | None = None
    _screen_full = False

    @property
    def is_free(self) -> bool:
        """Whether a client may enter."""
        return self._phase.is_alone and self._client is None

    @property
    def standing(self) -> Disconnected | Connected:
        """How the conversation stands."""
        client, waiting = self._client, self.lines_waiting
        if client is None:
            seconds = self._broker.clock.seconds() - self._alone_since
            return Disconnected("waiting for a client", seconds, "", waiting)
        return Connected(client.member.name, client.idle_seconds or 0.0, waiting)

    @property
    def lines_waiting(self) -> int:
        """How many lines wait for a client, if none is connected."""
        if self._client is not None:
            return 0
        return max(self._begin_now - self._begin, 0)

    def has_listener(self, member: Member) -> bool:
        """Return whether ``member`` is the client, and may still be heard, and be lost and come back."""
        here = self._client is not None and self._client.member is member
        return here and self._phase.can_receive

    def has_answered(self, client: DirectClient) -> bool:
        """Return whether ``client`` said goodbye."""
        return client is self._answered

    def join(self) -> None:
        """Be the operator, who is shown on a terminal what was said last."""
        self._member = self._chat.join(self, self._broker.wall(), is_operator=True)
        self._cursor = self._room.log.last
        if self._output is Output.TERMINAL:
            self._show_history()
        if self._keyboard is InputSource.SCRIPT:
            self._pauses.begin(PauseReason.CLIENT)

    # what the bridge calls

    def said(self, text: str, kind: str = TEXT) -> None:
        """Say ``text``, lines of one ``kind`` joined by LF: to the client, or to the next one."""
        if self._phase.has_sent_goodbye or self._phase is DirectPhase.OVER or not self._has_room_for(text):
            return
        super().said(text, kind)
        if self._phase is DirectPhase.CLIENT_CLOSED and self._client is not None:
            self._client.limit_close(PROMPTLY)

    def commanded(self, line: str, word: str) -> None:
        """Obey the command ``line``; one that asks who is there is about the client."""
        if line.strip().lower() == "ping":
            self.send_notice([self._liveness()])
        else:
            super().commanded(line, word)

    def input_ended(self) -> None:
        """Nothing more will be said here."""
        if self._after_client is AfterClient.WAIT and self._keyboard is InputSource.SCRIPT:
            self._keyboard = InputSource.NONE
        elif self._phase is DirectPhase.TALKING:
            self._finish()
        elif self._phase is DirectPhase.WAITING:
            self._end(whole=True)
        if self._phase is DirectPhase.CLIENT_CLOSED:
            self._part(DirectPhase.CLOSING_AFTER_CLIENT)

    def output_full(self) -> None:
        """Read no more from the client."""
        self._screen_full = True
        if self._client is not None:
            self._client.pause()

    def output_ready(self) -> None:
        """Read from the client again."""
        self._screen_full = False
        if self._client is not None:
            self._client.resume()

    def output_lost(self) -> None:
        """Nobody sees any more what is shown here; a script still says the rest."""
        if self._keyboard is not InputSource.SCRIPT:
            self.leave()

    # what the program calls

    def depart(self, flushed_within: float = LAST_WORDS) -> None:
        """Say goodbye now, whatever else is under way; what was said may take so many seconds to be sent."""
        self._after_client = AfterClient.END
        if self._phase.is_alone:
            self._end(whole=True)
        elif self._phase is not DirectPhase.OVER:
            heard = self._phase.has_received_goodbye
            self._part(DirectPhase.CLOSED_BOTH if heard else DirectPhase.LEAVING, flushed_within)

    # what the house calls

    def on_not_stored(self, why: str) -> None:
        """Tell the operator, or whoever reads along, and end with a status that tells of it."""
        self._bridge.show_rejection(f"* not stored, and not said: {why}; say it again later")
        self._wait_for(0)
        self._bridge.abandon_pending_lines()
        self._pauses.end(PauseReason.STORE)
        self.latest.store()  # which was not, either
        self._look_at_client()

    # what the hall calls

    def deliver(self, delivery: Delivery) -> None:
        """Show what was said, and see whether the client can take more."""
        super().deliver(delivery)
        if delivery.batches:
            self._broker.clock.callLater(0, self._look_at_client)

    # what clients' connections call

    def first_offset(self, room: Room) -> int:
        """Return the id after which a new client is sent messages: what was said for nobody in particular."""
        return min(self._begin, room.log.last)

    def entered(self, client: DirectClient) -> None:
        """Begin to talk, or go on."""
        self.replaced()  # if it is not known yet that the client's earlier connection is lost
        resumed = self._phase is DirectPhase.WAITING_RESUME
        self._client, self._phase = client, DirectPhase.TALKING
        self._farewell.start(client)
        self._answered = None
        self.latest.note(client.member.number, client.offset)
        client.member.since = self.latest.since
        self._bridge.show_status(f"Connected to {client.member.name} {client.address}")
        if self._screen_full:
            client.pause()
        self._waiting_size = 0
        self._wait_for(self._unstored)
        self._bridge.show_prompt()
        if resumed:
            self._finish()
        else:
            self._pauses.end(PauseReason.CLIENT)

    def caught_up(self, client: DirectClient) -> None:
        """The client has everything: go on, or part if that was waited for."""
        if client is self._client:
            self._look_at_client()

    def said_goodbye(self, client: DirectClient, how: Farewell) -> None:
        """Answer, once everything is shown that the client said before."""
        if how is Farewell.LISTENS_NO_MORE:
            client.is_over()
        self._answered = client
        self._when_shown(partial(self._goodbye_heard, client, how))

    def closing(self, client: DirectClient) -> None:
        """The client was kicked, or quit."""
        self._when_shown(partial(self._closed_by_command, client))

    def displaced(self, client: DirectClient) -> None:
        """Begin anew: another connection speaks for the client, and is sent again what this one was."""
        if client is not self._client:
            return
        self._bridge.hide_prompt()
        self._client = None
        if self._phase.can_receive:
            self._phase = (
                DirectPhase.WAITING if self._phase is DirectPhase.TALKING else DirectPhase.WAITING_RESUME
            )
        else:
            self._end(whole=not self._room.log.last > self._begin)

    def gone(self, client: DirectClient, *, clean: bool) -> None:
        """The connection is gone: wait for the next one, or end."""
        self._when_shown(partial(self._client_gone, client, clean, self._begin_now))

    def lost(self, client: DirectClient) -> None:
        """The connection is gone, and the client may come back."""
        self._when_shown(partial(self._client_lost, client, self._begin_now))

    def replaced(self) -> None:
        """The client comes back by another connection, before this one is known to be lost."""
        if self._client is not None:
            self._client_lost(self._client, self._begin_now)

    def given_up(self) -> None:
        """A client that was lost is not waited for any longer."""
        if self._phase is DirectPhase.WAITING_RESUME:
            self._end(whole=False)

    @property
    def _unstored_size(self) -> int:
        return 0 if self._member is None else self._member.pending_chars

    @property
    def _begin_now(self) -> int:
        """The id that the last line has that was said until now."""
        return self._room.log.last + self._broker.pending_lines

    def _when_shown(self, act: Callable[[], None]) -> None:
        """Do ``act`` when all is shown that was said before; at once if the program does not wait for it."""
        if self._phase is DirectPhase.LEAVING:
            act()
        else:
            self._broker.when_flushed(act)

    def _has_room_for(self, text: str) -> bool:
        """Return whether ``text`` can be said, or tell a person that too much waits for a client."""
        if self._client is None:
            if self._keyboard is InputSource.PERSON and self._waiting_size > WAITING_LIMIT:
                self._bridge.show_status("* not said: too much is waiting already")
                return False
            self._waiting_size += len(text)
        return True

    def _wait_for(self, lines: int) -> None:
        """Show how many of the lines said here wait: to be stored, or for a client."""
        self._unstored = lines
        self._bridge.set_pending_lines(lines if self._client is not None else self.lines_waiting)

    def _show_said(self, batch: MessageBatch, *, past: bool = False) -> None:
        """Show what the client said; a stream is not shown what the operator said at the admin socket."""
        if self._output is Output.TERMINAL or self._member is None or batch.author != self._member.name:
            super()._show_said(batch, past=past)

    def _liveness(self) -> str:
        client, waiting = self._client, lines_wait(self.lines_waiting)
        if client is None:
            return f"not connected; {waiting}"
        return f"{last_heard(client.member.name, client.idle_seconds or 0.0)}; {waiting}"

    def _look_at_client(self) -> None:
        """Read no more from the keyboard while the client is behind; part if that was waited for."""
        client = self._client
        if client is None:
            return
        is_ready = client.has_everything and self._unstored_size <= UNSTORED_LIMIT
        if self._phase is DirectPhase.CLIENT_CLOSED:
            client.limit_close(PROMPTLY if is_ready else LAST_WORDS)
        if not is_ready:
            self._pauses.begin(PauseReason.CLIENT)
        elif self._phase.can_send:
            self._pauses.end(PauseReason.CLIENT)
        self._part_if_all_is_said()

    def _goodbye_heard(self, client: DirectClient, how: Farewell) -> None:
        if client is not self._client:
            return
        if (
            self._phase is DirectPhase.TALKING
            and self._keyboard is InputSource.SCRIPT
            and how is Farewell.LISTENS
        ):
            self._hear_goodbye(client, DirectPhase.CLIENT_CLOSED)
            client.limit_close(PROMPTLY)
            return
        if self._phase is DirectPhase.TALKING:
            self._hear_goodbye(client, DirectPhase.CLOSED_BOTH)
        if self._phase.has_sent_goodbye:
            self._part(self._phase)

    def _hear_goodbye(self, client: DirectClient, phase: DirectPhase) -> None:
        self._phase = phase
        self._bridge.hide_prompt()
        self._bridge.show_status(f"Connection closed by {client.member.name}.")

    def _closed_by_command(self, client: DirectClient) -> None:
        if client is self._client and self._phase in (DirectPhase.TALKING, DirectPhase.CLIENT_CLOSED):
            self._phase = DirectPhase.CLOSED_BOTH
            self._bridge.hide_prompt()
            self._bridge.show_status("Connection closed.")

    def _client_gone(self, client: DirectClient, clean: bool, begin: int) -> None:
        if client is not self._client:
            return
        ending = self._forget_client()
        if ending is DirectPhase.TALKING:
            self._bridge.show_status(f"Connection to {client.member.name} lost.")
        elif ending in (DirectPhase.INPUT_DONE, DirectPhase.LEAVING):
            self._bridge.show_status("Connection closed.")
        waits = self._after_client is AfterClient.WAIT and ending.has_received_goodbye
        if ending is DirectPhase.TALKING or waits:
            self._wait(DirectPhase.WAITING, begin)
        else:
            self._end(whole=clean or not ending.is_uncertain)

    def _client_lost(self, client: DirectClient, begin: int) -> None:
        if not self._phase.can_receive:
            self._client_gone(client, True, begin)
        elif client is self._client:
            ending = self._forget_client()
            self._bridge.show_status(f"Connection to {client.member.name} lost.")
            self._wait(
                DirectPhase.WAITING if ending is DirectPhase.TALKING else DirectPhase.WAITING_RESUME, begin
            )

    def _forget_client(self) -> DirectPhase:
        """Have no client any more; return the phase in which it was."""
        self._client = None
        self._farewell.start(None)
        self._bridge.hide_prompt()
        return self._phase

    def _wait(self, phase: DirectPhase, begin: int) -> None:
        """Wait for a client, which is sent what was said after the id ``begin``."""
        self._phase, self._begin = phase, min(begin, self._room.log.last)
        self._alone_since = self._broker.clock.seconds()
        if self._keyboard is InputSource.SCRIPT:
            self._pauses.begin(PauseReason.CLIENT)
        else:
            self._pauses.end(PauseReason.CLIENT)  # the connection may have been full when it was lost

    def _finish(self) -> None:
        """Say goodbye after the last of the input, and leave the client the time for its last words."""
        self._phase = DirectPhase.INPUT_DONE
        self._farewell.leave_last_words(LAST_WORDS)
        self._part_if_all_is_said()

    def _part(self, phase: DirectPhase, flushed_within: float = LAST_WORDS) -> None:
        self._phase = phase
        self._bridge.hide_prompt()
        self._farewell.close(PROMPTLY, flushed_within)
        self._part_if_all_is_said()

    def _part_if_all_is_said(self) -> None:
        client = self._client
        if client is not None and not self._unstored_size and client.has_everything:
            self._farewell.go_on()

    def _end(self, *, whole: bool) -> None:
        lines = self.lines_waiting if self._phase.is_alone else 0
        self._phase = DirectPhase.OVER
        self._farewell.start(None)
        self._owner.over(unsent_notice(lines) if lines or not whole else None)
