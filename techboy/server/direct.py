"""The operator in direct mode, and the state of the conversation with the one client.

How the conversation ends:

- If the operator leaves (``exit``, Ctrl-C, SIGTERM), the server sends all messages, closes its half and waits
  shortly for the client's.
- At the end of the input it does the same, but waits `LAST_WORDS` seconds for further messages of the client.
- If the client says goodbye, the server answers; a script first sends the rest of its input.

Messages that are posted while no client is connected stay in the log, and are sent to the next client.
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
"""Characters that a person may post while no client is connected."""


class DirectOperator(LocalOperator, ClientLifecycle):
    """The operator at this terminal, and the lifecycle of the one client."""

    def __init__(
        self,
        chat: ChatServer,
        broker: Broker,
        ui: OperatorScreen,
        owner: DirectServer,
        input_source: InputSource,
        output: Output,
    ) -> None:
        super().__init__(chat, broker, ui, owner.leave, output)
        self._owner, self._input = owner, input_source
        self._after_client = chat.config.policy.after_client
        self._phase, self._client = DirectPhase.WAITING, None
        self._begin = chat.lobby.log.last  # the id after which messages are for the next client
        self.latest = LatestClient(chat, broker)
        self._farewell = ServerFarewell(broker.clock, lambda: owner.closing_bye)
        self._waiting_chars = 0
        self._disconnected_at = broker.clock.seconds()

    _client: DirectClient | None
    _answered_client: DirectClient | None = None
    _screen_full = False

    @property
    def is_free(self) -> bool:
        """Whether a client may join."""
        return self._phase.is_alone and self._client is None

    @property
    def standing(self) -> Disconnected | Connected:
        """The state of the conversation."""
        client, waiting = self._client, self.lines_waiting
        if client is None:
            seconds = self._broker.clock.seconds() - self._disconnected_at
            return Disconnected("waiting for a client", seconds, "", waiting)
        return Connected(client.member.name, client.idle_seconds or 0.0, waiting)

    @property
    def lines_waiting(self) -> int:
        """The number of lines that wait for a client; 0 if one is connected."""
        if self._client is not None:
            return 0
        return max(self._next_begin - self._begin, 0)

    def is_talking_to(self, member: Member) -> bool:
        """Return whether ``member`` is the client, and may resume its session if its connection is lost."""
        here = self._client is not None and self._client.member is member
        return here and self._phase.can_receive

    def has_answered(self, client: DirectClient) -> bool:
        """Return whether ``client`` has said goodbye."""
        return client is self._answered_client

    def join(self) -> None:
        """Join as the operator; show the history on a terminal."""
        self._member = self._chat.join(self, self._broker.wall(), is_operator=True)
        self._offset = self._room.log.last
        if self._output is Output.TERMINAL:
            self._show_history()
        if self._input is InputSource.SCRIPT:
            self._pauses.begin(PauseReason.CLIENT)

    # called by the user interface

    def said(self, text: str, kind: str = TEXT) -> None:
        """Post ``text``, lines of one ``kind`` joined by LF, for the client, or for the next one."""
        if self._phase.has_sent_goodbye or self._phase is DirectPhase.OVER or not self._has_room_for(text):
            return
        super().said(text, kind)
        if self._phase is DirectPhase.CLIENT_CLOSED and self._client is not None:
            self._client.limit_close(PROMPTLY)

    def commanded(self, line: str, word: str) -> None:
        """Run the command ``line``; ``/ping`` reports on the client."""
        if line.strip().lower() == "ping":
            self.send_notice([self._liveness()])
        else:
            super().commanded(line, word)

    def input_ended(self) -> None:
        """Say goodbye, or wait for a client first, after the end of the input."""
        if self._after_client is AfterClient.WAIT and self._input is InputSource.SCRIPT:
            self._input = InputSource.NONE
        elif self._phase is DirectPhase.TALKING:
            self._half_close()
        elif self._phase is DirectPhase.WAITING:
            self._end(complete=True)
        if self._phase is DirectPhase.CLIENT_CLOSED:
            self._close_client(DirectPhase.CLOSING_AFTER_CLIENT)

    def output_full(self) -> None:
        """Pause reading from the client."""
        self._screen_full = True
        if self._client is not None:
            self._client.pause()

    def output_ready(self) -> None:
        """Resume reading from the client."""
        self._screen_full = False
        if self._client is not None:
            self._client.resume()

    def output_lost(self) -> None:
        """Leave, because the output is closed; a script still sends the rest of its input."""
        if self._input is not InputSource.SCRIPT:
            self.leave()

    # called by the server

    def depart(self, flushed_within: float = LAST_WORDS) -> None:
        """Say goodbye now, in any phase; messages may take ``flushed_within`` seconds to be sent."""
        self._after_client = AfterClient.END
        if self._phase.is_alone:
            self._end(complete=True)
        elif self._phase is not DirectPhase.OVER:
            heard = self._phase.has_received_goodbye
            self._close_client(DirectPhase.CLOSED_BOTH if heard else DirectPhase.LEAVING, flushed_within)

    # called by the room

    def on_not_stored(self, why: str) -> None:
        """Report that messages were not stored; the exit status will tell, too."""
        self._ui.show_rejection(f"* message not sent: {why}. Try again later.")
        self._set_unstored(0)
        self._ui.abandon_pending_lines()
        self._pauses.end(PauseReason.STORE)
        self.latest.store()  # it was not stored either
        self._check_client()

    # called by the broker

    def deliver(self, delivery: Delivery) -> None:
        """Show ``delivery``, then check whether the client is behind."""
        super().deliver(delivery)
        if delivery.batches:
            self._broker.clock.callLater(0, self._check_client)

    # called by connections of clients

    def first_offset(self, room: Room) -> int:
        """Return the id after which a new client is sent messages: those posted while none was connected."""
        return min(self._begin, room.log.last)

    def on_joined(self, client: DirectClient) -> None:
        """Start or resume the conversation with ``client``."""
        self.on_replaced()  # if the earlier connection of the client is not known to be lost yet
        resumed = self._phase is DirectPhase.WAITING_RESUME
        self._client, self._phase = client, DirectPhase.TALKING
        self._farewell.start(client)
        self._answered_client = None
        self.latest.note(client.member.number, client.offset)
        client.member.since = self.latest.since
        self._ui.show_status(f"Connected to {client.member.name} {client.address}")
        if self._screen_full:
            client.pause()
        self._waiting_chars = 0
        self._set_unstored(self._unstored)
        self._ui.show_prompt()
        if resumed:
            self._half_close()
        else:
            self._pauses.end(PauseReason.CLIENT)

    def on_caught_up(self, client: DirectClient) -> None:
        """Resume the input, or send the goodbye if that waited for the client."""
        if client is self._client:
            self._check_client()

    def on_goodbye(self, client: DirectClient, how: Farewell) -> None:
        """Answer the goodbye, once all earlier messages of the client are shown."""
        if how is Farewell.EXITED:
            client.on_exit()
        self._answered_client = client
        self._after_flush(partial(self._on_goodbye_shown, client, how))

    def on_closing(self, client: DirectClient) -> None:
        """Handle that a command (``/quit``, ``/kick``) is closing the connection of ``client``."""
        self._after_flush(partial(self._closed_by_command, client))

    def on_displaced(self, client: DirectClient) -> None:
        """Wait for the native protocol of the same client, which is sent all messages again."""
        if client is not self._client:
            return
        self._ui.hide_prompt()
        self._client = None
        if self._phase.can_receive:
            self._phase = (
                DirectPhase.WAITING if self._phase is DirectPhase.TALKING else DirectPhase.WAITING_RESUME
            )
        else:
            self._end(complete=not self._room.log.last > self._begin)

    def on_closed(self, client: DirectClient, *, clean: bool) -> None:
        """Wait for the next client, or stop: the connection was closed."""
        self._after_flush(partial(self._client_closed, client, clean, self._next_begin))

    def on_lost(self, client: DirectClient) -> None:
        """Wait for the client to resume: its connection was lost."""
        self._after_flush(partial(self._client_lost, client, self._next_begin))

    def on_replaced(self) -> None:
        """Treat the connection as lost, because the client has a new one."""
        if self._client is not None:
            self._client_lost(self._client, self._next_begin)

    def on_resume_timeout(self) -> None:
        """Stop if the input has ended: the client did not resume in time."""
        if self._phase is DirectPhase.WAITING_RESUME:
            self._end(complete=False)

    @property
    def _pending_chars(self) -> int:
        return 0 if self._member is None else self._member.pending_chars

    @property
    def _next_begin(self) -> int:
        """The id of the last line that was posted so far, stored or not."""
        return self._room.log.last + self._broker.pending_lines

    def _after_flush(self, act: Callable[[], None]) -> None:
        """Call ``act`` once all earlier messages are shown, or at once while the server is stopping."""
        if self._phase is DirectPhase.LEAVING:
            act()
        else:
            self._broker.when_flushed(act)

    def _has_room_for(self, text: str) -> bool:
        """Return whether ``text`` can be posted; if not, report that too much waits for a client."""
        if self._client is None:
            if self._input is InputSource.PERSON and self._waiting_chars > WAITING_LIMIT:
                self._ui.show_status("* message not sent: too much is waiting. Try again later.")
                return False
            self._waiting_chars += len(text)
        return True

    def _set_unstored(self, lines: int) -> None:
        """Show the number of lines that wait to be stored, or for a client."""
        self._unstored = lines
        self._ui.set_pending_lines(lines if self._client is not None else self.lines_waiting)

    def _show_message(self, batch: MessageBatch, *, past: bool = False) -> None:
        """Show ``batch``, but not the operator's own messages from the admin socket on a stream."""
        if self._output is Output.TERMINAL or self._member is None or batch.author != self._member.name:
            super()._show_message(batch, past=past)

    def _liveness(self) -> str:
        client, waiting = self._client, lines_wait(self.lines_waiting)
        if client is None:
            return f"not connected; {waiting}"
        return f"{last_heard(client.member.name, client.idle_seconds or 0.0)}; {waiting}"

    def _check_client(self) -> None:
        """Pause the input while the client is behind; otherwise send a goodbye that waited for it."""
        client = self._client
        if client is None:
            return
        is_ready = client.has_everything and self._pending_chars <= UNSTORED_LIMIT
        if self._phase is DirectPhase.CLIENT_CLOSED:
            client.limit_close(PROMPTLY if is_ready else LAST_WORDS)
        if not is_ready:
            self._pauses.begin(PauseReason.CLIENT)
        elif self._phase.can_send:
            self._pauses.end(PauseReason.CLIENT)
        self._proceed_if_sent()

    def _on_goodbye_shown(self, client: DirectClient, how: Farewell) -> None:
        if client is not self._client:
            return
        if (
            self._phase is DirectPhase.TALKING
            and self._input is InputSource.SCRIPT
            and how is Farewell.READS_ON
        ):
            self._accept_goodbye(client, DirectPhase.CLIENT_CLOSED)
            client.limit_close(PROMPTLY)
            return
        if self._phase is DirectPhase.TALKING:
            self._accept_goodbye(client, DirectPhase.CLOSED_BOTH)
        if self._phase.has_sent_goodbye:
            self._close_client(self._phase)

    def _accept_goodbye(self, client: DirectClient, phase: DirectPhase) -> None:
        self._phase = phase
        self._ui.hide_prompt()
        self._ui.show_status(f"Connection closed by {client.member.name}.")

    def _closed_by_command(self, client: DirectClient) -> None:
        if client is self._client and self._phase in (DirectPhase.TALKING, DirectPhase.CLIENT_CLOSED):
            self._phase = DirectPhase.CLOSED_BOTH
            self._ui.hide_prompt()
            self._ui.show_status("Connection closed.")

    def _client_closed(self, client: DirectClient, clean: bool, begin: int) -> None:
        if client is not self._client:
            return
        ending = self._forget_client()
        if ending is DirectPhase.TALKING:
            self._ui.show_status(f"Connection to {client.member.name} lost.")
        elif ending in (DirectPhase.INPUT_DONE, DirectPhase.LEAVING):
            self._ui.show_status("Connection closed.")
        waits = self._after_client is AfterClient.WAIT and ending.has_received_goodbye
        if ending is DirectPhase.TALKING or waits:
            self._wait_for_client(DirectPhase.WAITING, begin)
        else:
            self._end(complete=clean or not ending.is_uncertain)

    def _client_lost(self, client: DirectClient, begin: int) -> None:
        if not self._phase.can_receive:
            self._client_closed(client, True, begin)
        elif client is self._client:
            ending = self._forget_client()
            self._ui.show_status(f"Connection to {client.member.name} lost.")
            self._wait_for_client(
                DirectPhase.WAITING if ending is DirectPhase.TALKING else DirectPhase.WAITING_RESUME, begin
            )

    def _forget_client(self) -> DirectPhase:
        """Forget the client; return the phase of the conversation."""
        self._client = None
        self._farewell.start(None)
        self._ui.hide_prompt()
        return self._phase

    def _wait_for_client(self, phase: DirectPhase, begin: int) -> None:
        """Wait for a client, which is sent the messages after the id ``begin``."""
        self._phase, self._begin = phase, min(begin, self._room.log.last)
        self._disconnected_at = self._broker.clock.seconds()
        if self._input is InputSource.SCRIPT:
            self._pauses.begin(PauseReason.CLIENT)
        else:
            self._pauses.end(PauseReason.CLIENT)  # the client may have been behind when it was lost

    def _half_close(self) -> None:
        """Say goodbye after the end of the input, and leave the client time for its last messages."""
        self._phase = DirectPhase.INPUT_DONE
        self._farewell.half_close(LAST_WORDS)
        self._proceed_if_sent()

    def _close_client(self, phase: DirectPhase, flushed_within: float = LAST_WORDS) -> None:
        self._phase = phase
        self._ui.hide_prompt()
        self._farewell.close(PROMPTLY, flushed_within)
        self._proceed_if_sent()

    def _proceed_if_sent(self) -> None:
        client = self._client
        if client is not None and not self._pending_chars and client.has_everything:
            self._farewell.proceed()

    def _end(self, *, complete: bool) -> None:
        lines = self.lines_waiting if self._phase.is_alone else 0
        self._phase = DirectPhase.OVER
        self._farewell.start(None)
        self._owner.over(unsent_notice(lines) if lines or not complete else None)
