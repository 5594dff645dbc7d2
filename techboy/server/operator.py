"""The host's seat in a house: the stdio bridge as a member, or as somebody who only listens."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from twisted.logger import Logger

from techboy.chat.conversation import Message, UserInterface
from techboy.chat.member import Member
from techboy.chat.room import Room
from techboy.chat.server import ChatServer
from techboy.net.read_pauser import PauseReason, ReadPauser
from techboy.net.rendering import Delivery, gone
from techboy.server.broker import Broker
from techboy.server.delivery import UNSTORED_LIMIT
from techboy.storage.interface import TEXT, MessageBatch, StorageError
from techboy.wire.plain import notice, signed_lines


class OperatorScreen(UserInterface, Protocol):
    """The host's keyboard and screen."""

    def state(self, text: str) -> bool:
        """Show one line about the house itself; return False if the screen is too full."""

    def unsaid(self) -> None:
        """What was said here and waits to be stored will not be."""


class Output(Enum):
    """What standard output is."""

    TERMINAL = auto()
    STREAM = auto()  # a pipe or a file, which gets what is said from now on and nothing else


class LocalOperator:
    """A `MemberConnection` of the house at this end: what the bridge reads is said, what is said is shown.

    It is the bridge's ``conversation``. ``leave`` ends the program. ``output``: what history is shown on.
    Without `sit`, it is nobody, and can only listen to the lobby. ``said_lines``: how many lines were said.
    """

    said_lines = 0

    _log = Logger()

    def __init__(
        self,
        chat: ChatServer,
        broker: Broker,
        bridge: OperatorScreen,
        leave: Callable[[], None],
        output: Output = Output.TERMINAL,
    ) -> None:
        self._chat, self._broker, self._bridge, self.leave = chat, broker, bridge, leave
        self._output = output
        self._member: Member | None = None
        self._cursor = 0
        self._full = False
        self._unstored = 0  # lines said here of which the room does not know yet that they are stored
        self._pauses = ReadPauser(bridge.pause, bridge.resume)

    def join(self) -> None:
        """Be the host."""
        self._member = self._chat.join(self, self._broker.wall(), is_operator=True)
        self._cursor = self._room.log.last
        self._bridge.show_prompt()

    def listen(self) -> None:
        """Hear what is said in the lobby."""
        self._cursor = self._room.log.last
        self._broker.subscribe(self._chat.lobby, self)

    # what the bridge calls

    def said(self, text: str, kind: str = TEXT) -> None:
        """Say ``text``, lines of one ``kind`` joined by LF."""
        assert self._member is not None
        self._chat.post(self._member, text, kind)
        self._bridge.show_sent(text, kind)
        lines = text.count("\n") + 1
        self.said_lines += lines
        self._wait_for(self._unstored + lines)
        if self._member.pending_chars > UNSTORED_LIMIT:
            self._pauses.begin(PauseReason.STORE)

    def commanded(self, line: str, word: str) -> None:
        """Obey the command ``line``."""
        assert self._member is not None
        self.send_notice(self._chat.run_command(self._member, line))

    def enter(self) -> None:
        """Do nothing about an empty line."""

    def input_ended(self) -> None:
        """End with the input."""
        self.leave()

    def output_full(self) -> None:
        """Show nothing more for now."""
        self._full = True

    def output_ready(self) -> None:
        """Go on from the log."""
        self._full = False
        self._catch_up()
        if not self._full and self._member is not None and not self._member.pending_chars:
            self._wait_for(0)  # what was forgotten before it was shown was stored too

    def output_written(self) -> None:
        """Nothing depends on it."""

    def output_lost(self) -> None:
        """Go on without a screen where there is one who speaks, else end."""
        self._full = True
        if self._member is None:
            self.leave()

    # what the house calls

    def send_notice(self, lines: list[str]) -> bool:
        """Show lines about the house itself; return False if the screen is too full for all of them."""
        shown = [self._bridge.state(notice(line)) for line in lines]
        return all(shown)

    def send_history(self, batches: list[MessageBatch]) -> bool:
        """Show history, with its time in brackets; return False if the screen is full."""
        if self._output is Output.STREAM:
            self._recall_as_states(batches)
            return True
        room = not self._full
        for batch in batches if room else []:
            self._show_said(batch, past=True)
        return room

    def on_stored(self, last: int) -> None:
        """Read on, if that waited for the disk."""
        self._pauses.end(PauseReason.STORE)

    def on_not_stored(self, why: str) -> None:
        """Tell the host."""
        self.send_notice([f"message not sent: {why}. Try again later."])
        self._unstored = 0
        self._bridge.unsaid()
        self._pauses.end(PauseReason.STORE)

    def disconnect(self, why: str) -> None:
        """End the program."""
        self.leave()

    @property
    def idle_seconds(self) -> float:
        """The host is here."""
        return 0.0

    @property
    def backlog(self) -> int:
        """How many lines wait for room on the screen."""
        return self._room.log.last - self._cursor

    def on_room_changed(self) -> None:
        """Go on in another room."""
        assert self._member is not None
        self._show_history()
        self._cursor = self._room.log.last
        self._wait_for(0)  # in the room that was left nothing is heard any more
        self.send_notice([*self._chat.room_greeting(self._member), self._chat.member_list(self._member)])

    # what the hall calls

    def deliver(self, delivery: Delivery) -> None:
        """Show what is new, if the screen has room."""
        self.send_notice(delivery.news.notices_for(0 if self._member is None else self._member.number))
        if self._full or not delivery.batches:
            return
        if delivery.before == self._cursor:
            self._show_all(delivery)
        else:
            self._catch_up()

    def on_send_timeout(self) -> None:
        """Wait on: a screen is not ended."""

    def on_error(self) -> None:
        """Log the exception that is being handled; a screen is not ended."""
        self._log.failure("an internal error at the operator's screen", event="internal_error")

    @property
    def _room(self) -> Room:
        return self._chat.lobby if self._member is None else self._member.room

    def _recall_as_states(self, batches: list[MessageBatch]) -> None:
        for batch in batches:
            when = f"[{self._chat.clock(batch.at)}] "
            for line in signed_lines(batch.author, batch.kind, batch.text).split("\n"):
                self._bridge.state(when + line)

    def _show_history(self) -> None:
        assert self._member is not None
        try:
            self.send_history(self._chat.history(self._member))
        except StorageError as unreadable:
            self.send_notice([f"the history cannot be read: {unreadable}"])

    def _catch_up(self) -> None:
        """Show what follows in the log, as long as the screen has room."""
        while not self._full and self.backlog > 0:
            try:
                page = self._broker.page(self._room, self._cursor)
            except StorageError as unreadable:
                self.send_notice([f"{self.backlog} lines cannot be read: {unreadable}"])
                self._cursor = self._room.log.last
                return
            if page.before > self._cursor:
                self.send_notice([gone(page.before - self._cursor)])
            self._show_all(page)

    def _show_all(self, delivery: Delivery) -> None:
        for batch in delivery.batches:
            self._show(batch)
        self._cursor = delivery.head

    def _show(self, batch: MessageBatch) -> None:
        member = self._member
        if member is not None and batch.by == member.number:
            self._wait_for(max(self._unstored - batch.lines, 0))
        elif member is None or batch.by not in member.ignoring:
            self._show_said(batch)

    def _wait_for(self, lines: int) -> None:
        self._unstored = lines
        self._bridge.unstored(lines)

    def _show_said(self, batch: MessageBatch, *, past: bool = False) -> None:
        self._bridge.show_message(Message(batch.author, batch.text, batch.kind, batch.first, batch.at, past))
