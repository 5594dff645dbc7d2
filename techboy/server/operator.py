"""The operator at the server's terminal: the user interface as a member, or only as an observer."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from twisted.logger import Logger

from techboy.chat.member import Member
from techboy.chat.messages import Message
from techboy.chat.room import Room
from techboy.chat.server import ChatServer
from techboy.net.read_pauser import PauseReason, ReadPauser
from techboy.net.rendering import Delivery, skipped_notice
from techboy.server.broker import Broker
from techboy.server.delivery import UNSTORED_LIMIT
from techboy.storage.interface import TEXT, MessageBatch, StorageError
from techboy.terminal.interface import UserInterface
from techboy.wire.plain import notice, signed_lines


class OperatorScreen(UserInterface, Protocol):
    """The operator's user interface."""

    def show_status(self, text: str) -> bool:
        """Show the status line ``text``; return False if the screen has no room."""

    def abandon_pending_lines(self) -> None:
        """Handle that the operator's messages that wait to be stored will not be stored."""


class Output(Enum):
    """What standard output is."""

    TERMINAL = auto()
    STREAM = auto()  # a pipe or a file, which gets new messages and nothing else


class LocalOperator:
    """The operator's `MemberConnection`: it posts what the ``ui`` reads, and shows messages there.

    ``leave`` stops the server. History is only shown if ``output`` is a terminal. With `join` the operator is
    a member; with `listen` it only observes the lobby. ``said_lines`` is the number of lines posted.
    """

    said_lines = 0

    _log = Logger()

    def __init__(
        self,
        chat: ChatServer,
        broker: Broker,
        ui: OperatorScreen,
        leave: Callable[[], None],
        output: Output = Output.TERMINAL,
    ) -> None:
        self._chat, self._broker, self._ui, self.leave = chat, broker, ui, leave
        self._output = output
        self._member: Member | None = None
        self._offset = 0
        self._screen_blocked = False
        self._unstored = 0  # lines posted here that were not delivered here yet
        self._pauses = ReadPauser(ui.pause, ui.resume)

    def join(self) -> None:
        """Join as the operator."""
        self._member = self._chat.join(self, self._broker.wall(), is_operator=True)
        self._offset = self._room.log.last
        self._ui.show_prompt()

    def listen(self) -> None:
        """Observe the lobby."""
        self._offset = self._room.log.last
        self._broker.subscribe(self._chat.lobby, self)

    # called by the user interface

    def said(self, text: str, kind: str = TEXT) -> None:
        """Post ``text``, lines of one ``kind`` joined by LF."""
        assert self._member is not None
        self._chat.post(self._member, text, kind)
        self._ui.show_sent(text, kind)
        lines = text.count("\n") + 1
        self.said_lines += lines
        self._set_unstored(self._unstored + lines)
        if self._member.pending_chars > UNSTORED_LIMIT:
            self._pauses.begin(PauseReason.STORE)

    def commanded(self, line: str, word: str) -> None:
        """Run the command ``line``."""
        assert self._member is not None
        self.send_notice(self._chat.run_command(self._member, line))

    def enter(self) -> None:
        """Ignore an empty line."""

    def input_ended(self) -> None:
        """Stop the server at the end of the input."""
        self.leave()

    def output_full(self) -> None:
        """Show nothing until there is room again."""
        self._screen_blocked = True

    def output_ready(self) -> None:
        """Show the messages that follow the offset."""
        self._screen_blocked = False
        self._catch_up()
        if not self._screen_blocked and self._member is not None and not self._member.pending_chars:
            self._set_unstored(0)  # messages that were deleted before they were shown were stored, too

    def output_written(self) -> None:
        """Do nothing."""

    def output_lost(self) -> None:
        """Go on without a screen, or stop the server if the operator is no member."""
        self._screen_blocked = True
        if self._member is None:
            self.leave()

    # called by the room

    def send_notice(self, lines: list[str]) -> bool:
        """Show ``lines`` as notices; return False if the screen has no room for all of them."""
        shown = [self._ui.show_status(notice(line)) for line in lines]
        return all(shown)

    def send_history(self, batches: list[MessageBatch]) -> bool:
        """Show history, with the time in brackets; return False if the screen has no room."""
        if self._output is Output.STREAM:
            self._show_as_status(batches)
            return True
        room = not self._screen_blocked
        for batch in batches if room else []:
            self._show_message(batch, past=True)
        return room

    def on_stored(self, last: int) -> None:
        """Resume reading if it was paused for the storage."""
        self._pauses.end(PauseReason.STORE)

    def on_not_stored(self, why: str) -> None:
        """Show that messages were not stored."""
        self.send_notice([f"message not sent: {why}. Try again later."])
        self._unstored = 0
        self._ui.abandon_pending_lines()
        self._pauses.end(PauseReason.STORE)

    def disconnect(self, why: str) -> None:
        """Stop the server."""
        self.leave()

    @property
    def idle_seconds(self) -> float:
        """Return 0: the operator is always connected."""
        return 0.0

    @property
    def backlog(self) -> int:
        """The number of lines that wait for room on the screen."""
        return self._room.log.last - self._offset

    def on_room_changed(self) -> None:
        """Show the history and the greeting of the new room."""
        assert self._member is not None
        self._show_history()
        self._offset = self._room.log.last
        self._set_unstored(0)  # messages in the old room are not delivered here any more
        self.send_notice([*self._chat.room_greeting(self._member), self._chat.member_list(self._member)])

    # called by the broker

    def deliver(self, delivery: Delivery) -> None:
        """Show ``delivery``, if the screen has room."""
        self.send_notice(delivery.news.notices_for(0 if self._member is None else self._member.number))
        if self._screen_blocked or not delivery.batches:
            return
        if delivery.before == self._offset:
            self._show_delivery(delivery)
        else:
            self._catch_up()

    def on_send_timeout(self) -> None:
        """Do nothing: a screen has no send timeout."""

    def on_error(self) -> None:
        """Log the exception that is being handled; the screen stays."""
        self._log.failure("an internal error at the operator's screen", event="internal_error")

    @property
    def _room(self) -> Room:
        return self._chat.lobby if self._member is None else self._member.room

    def _show_as_status(self, batches: list[MessageBatch]) -> None:
        for batch in batches:
            when = f"[{self._chat.clock(batch.at)}] "
            for line in signed_lines(batch.author, batch.kind, batch.text).split("\n"):
                self._ui.show_status(when + line)

    def _show_history(self) -> None:
        assert self._member is not None
        try:
            self.send_history(self._chat.history(self._member))
        except StorageError as error:
            self.send_notice([f"the history cannot be read: {error}"])

    def _catch_up(self) -> None:
        """Show the messages that follow the offset, as long as the screen has room."""
        while not self._screen_blocked and self.backlog > 0:
            try:
                page = self._broker.page(self._room, self._offset)
            except StorageError as error:
                self.send_notice([f"{self.backlog} lines cannot be read: {error}"])
                self._offset = self._room.log.last
                return
            if page.before > self._offset:
                self.send_notice([skipped_notice(page.before - self._offset)])
            self._show_delivery(page)

    def _show_delivery(self, delivery: Delivery) -> None:
        for batch in delivery.batches:
            self._show(batch)
        self._offset = delivery.head

    def _show(self, batch: MessageBatch) -> None:
        member = self._member
        if member is not None and batch.by == member.number:
            self._set_unstored(max(self._unstored - batch.lines, 0))
        elif member is None or batch.by not in member.ignoring:
            self._show_message(batch)

    def _set_unstored(self, lines: int) -> None:
        self._unstored = lines
        self._ui.set_pending_lines(lines)

    def _show_message(self, batch: MessageBatch, *, past: bool = False) -> None:
        self._ui.show_message(Message(batch.author, batch.text, batch.kind, batch.first, batch.at, past))
