"""The client's conversation as a program."""

from __future__ import annotations

from collections.abc import Callable

from techboy import exit_status
from techboy.chat.conversation import LAST_WORDS, PROMPTLY, Conversation, UserInterface
from techboy.chat.outbox import Outbox
from techboy.chat.status import Connected, Disconnected, unsent_notice
from techboy.config.options import ConversationOptions
from techboy.ops.transcript import TranscriptTee
from techboy.service import ChatService, IReactor
from techboy.terminal.bridge import InputHandler
from techboy.terminal.progress import Sample
from techboy.terminal.streams import Streams
from techboy.wire.plain import CLIENT

IN_HASTE = 2.0
"""Seconds in which the last words are sent if a signal ends the program."""


class PeerChat(ChatService):
    """The client's conversation as a program, which ends with it. It is the conversation's `Owner`."""

    def __init__(
        self,
        reactor: IReactor,
        options: ConversationOptions,
        streams: Streams,
        outbox: Outbox,
        wall: Callable[[], float],
        *,
        patient: bool = False,
    ) -> None:
        super().__init__(reactor, options, streams, CLIENT, wall)
        self.outbox = outbox
        self._alone_since = reactor.seconds()
        ui: UserInterface = self.ui
        if self.transcript is not None:
            ui = TranscriptTee(ui, self.transcript, options["name"])
        self.conversation = Conversation(ui, self, self.keyboard, outbox, patient=patient)
        self.show_progress(self._sample)

    @property
    def speaker(self) -> InputHandler:
        """Return the conversation."""
        return self.conversation

    @property
    def standing(self) -> Disconnected | Connected:
        """How the conversation stands."""
        peer, waiting = self.conversation.peer, self.outbox.lines
        if peer is None:
            return Disconnected(
                self.doing, self.reactor.seconds() - self._alone_since, self.storage_error, waiting
            )
        return Connected(peer.name, peer.idle_seconds, waiting, peer.missing)

    @property
    def doing(self) -> str:
        """What is done while nobody is at the other end."""
        raise NotImplementedError

    @property
    def storage_error(self) -> str:
        """What came of the last attempt to reach the other end, as far as that is known."""
        return ""

    def startService(self) -> None:
        """Open keyboard and screen, and begin."""
        super().startService()
        self.conversation.start()

    def leave(self) -> None:
        """Leave the conversation, in haste where a signal ends the program."""
        self.conversation.leave(IN_HASTE if self.hasty else LAST_WORDS)

    # what the conversation calls

    def waiting(self, again: bool) -> None:
        """Nobody is at the other end: not yet, or not any more (``again``)."""
        self._alone_since = self.reactor.seconds()

    def hurry(self) -> None:
        """The person here would like the other end to be reached now."""

    def not_kept(self, why: str) -> None:
        """What is said here can't be kept: say so once, and end as soon as what is under way is done."""
        if self._status != exit_status.IO_ERROR:
            self._status = exit_status.IO_ERROR
            self.ui.state(f"{self.options.program}: {why}")
            self.reactor.callLater(0, self.conversation.leave, PROMPTLY)

    def shown(self) -> None:
        """Everything that was to be shown so far is."""

    def over(self, whole: bool) -> None:
        """The conversation is over, and so is the program."""
        if not whole and self._status == exit_status.OK:
            self._status = exit_status.UNAVAILABLE
            self.ui.state(f"* {self._unsure()}")
        self.ended()

    def _sample(self) -> Sample:
        peer, outbox = self.conversation.peer, self.outbox
        missing = 0 if peer is None else peer.missing
        return Sample(outbox.delivered, outbox.lines, missing=missing, limit=outbox.rate)

    def _unsure(self) -> str:
        """Return what has become of what was said here and is not known to have arrived."""
        return unsent_notice(self.outbox.lines)
