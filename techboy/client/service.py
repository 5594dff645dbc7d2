"""The client as `twist` runs it."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol

from techboy import exit_status
from techboy.chat.goodbye import LAST_WORDS, PROMPTLY
from techboy.chat.status import Connected, Disconnected, lines_wait, unsent_notice
from techboy.client.conversation import Conversation
from techboy.client.conversation_state import ConversationState
from techboy.client.handshake import ClientHandshake
from techboy.client.native import NativeClientProtocol
from techboy.client.plain import PlainPeerProtocol
from techboy.client.reconnect import ChatClientFactory
from techboy.client.storage import ClientStorage, lines_are
from techboy.config.options import ConversationOptions
from techboy.net.addresses import host_and_port
from techboy.net.connection_log import ConnectionLogEntry, escaped, null_log_entry
from techboy.net.reactor import IReactor
from techboy.net.reply_timeout import ReplyTimeout
from techboy.ops.transcript import TranscriptTee
from techboy.service import ChatService
from techboy.terminal.interface import InputSource, UserInterface
from techboy.terminal.progress import FilePosition, Sample
from techboy.terminal.stdio_bridge import InputHandler
from techboy.terminal.streams import Streams
from techboy.wire.frames import Hello
from techboy.wire.plain import CLIENT
from techboy.wire.protocol import WireProtocol

ROMEO = "romeo"

IN_HASTE = 2.0
"""Seconds in which the last words are sent if a signal ends the program."""

ATTEMPT_DELAY = 0.1
"""Seconds between attempts at a name's several addresses: the least that RFC 8305, section 8, allows.

Twisted's endpoint waits as long before it says that the last one failed, and a retry is to come quickly.
"""


class ReconnectDelay(Enum):
    """How soon to call again."""

    SOON = auto()
    WITH_OTHERS = auto()  # Romeo was started again, and many call


class ChatClient(ChatService):
    """Connects to the server, again and again, and ends with the conversation.

    It is the `ConversationDelegate` of the conversation, and the `ReconnectingClient` of its factory.
    """

    def __init__(
        self,
        reactor: IReactor,
        options: ConversationOptions,
        streams: Streams,
        wall: Callable[[], float] = time.time,
        spread: Callable[[], float] = lambda: random.uniform(0.5, 1.0),
    ) -> None:
        self._kept = ClientStorage(options, lambda why: self.not_kept(why))
        super().__init__(reactor, options, streams, CLIENT, wall)
        self.outbox = self._kept.outbox
        self._alone_since = reactor.seconds()
        ui: UserInterface = self.ui
        if self.transcript is not None:
            ui = TranscriptTee(ui, self.transcript, options["name"])
        patient = not options["plain"]
        self.conversation = Conversation(ui, self, self.keyboard, self.outbox, patient=patient)
        self.show_progress(self._sample)
        self.endpoint, self._place = _whereabouts(reactor, options)
        self._factory = ChatClientFactory(self, spread)
        self._dialect = options["dialect"]
        self._return = ReconnectDelay.SOON
        self._unread = ""  # how much of the input was not read when it was left, for people
        self._reason = ""
        self._was_connected = False
        self._log_entry = null_log_entry(reactor.seconds)  # of the last connection there was
        self._reply_timeout = ReplyTimeout(
            reactor, options["timeout"] or math.inf, lambda: self._awaits_a_word, self._time_is_up
        )

    @property
    def speaker(self) -> InputHandler:
        """Return the conversation."""
        return self.conversation

    @property
    def standing(self) -> Disconnected | Connected:
        """How the conversation stands."""
        peer, waiting = self.conversation.peer, self.outbox.lines
        if peer is None:
            seconds = self.reactor.seconds() - self._alone_since
            return Disconnected(f"calling {self._place}", seconds, self._reason, waiting)
        return Connected(peer.name, peer.idle_seconds, waiting, peer.missing)

    def startService(self) -> None:
        """Open keyboard and screen, and connect."""
        super().startService()
        self.conversation.start()
        lines = self.outbox.lines
        if lines:
            self.ui.show_status(f"* {lines_are(lines)} kept from the last time")
        if self.options["timeout"] is not None:
            self._reply_timeout.start()
        self._factory.call()
        self.all_open()

    def stopService(self) -> Deferred[Any]:
        """Call no more, say goodbye; fires when everything was sent and shown."""
        self._factory.stopTrying()
        self._reply_timeout.stop()
        return super().stopService().addCallback(lambda _: self._kept.close())

    def leave(self) -> None:
        """Leave the conversation, saying at once if that takes a while, and in the end what was not sent."""
        lines = self.outbox.lines
        if self.conversation.state in (ConversationState.WAITING, ConversationState.TALKING):
            self._unread = self._rest_of_input()
        if lines and self.conversation.is_talking and self._status == exit_status.OK:
            self.ui.show_status(f"* leaving; {lines_wait(lines)}, {self.outbox.unsent} of them not sent")
        self.conversation.leave(IN_HASTE if self.hasty else LAST_WORDS)

    def ended(self) -> None:
        """The conversation is over: connect no more, and wait for nothing."""
        self._factory.stopTrying()
        self._reply_timeout.stop()
        super().ended()

    # what the factory calls

    def handler(self, log_entry: ConnectionLogEntry) -> Protocol:
        """Return the protocol of a new connection with that ``log_entry``."""
        self._log_entry = log_entry
        if self._dialect is WireProtocol.PLAIN:
            log_entry.protocol_detected("plain")
            self.heard()
            return self.plain_protocol()
        may_be_plain = self._dialect is WireProtocol.UNKNOWN and not self._kept.client_session.exists
        hello, dead = self._hello(), self.options["ping-timeout"]
        return ClientHandshake(
            self, hello, self.reactor, dead, may_be_plain=may_be_plain, log_entry=log_entry
        )

    def not_answered(self, reason: str) -> None:
        """Romeo does not answer: say so, once for each reason."""
        self._tell_reason(reason, f"no answer: {reason}; calling again until there is one")

    def _tell_reason(self, reason: str, text: str) -> None:
        if reason != self._reason:
            self._reason = reason
            self._log.info("connecting failed: {reason}", event="connect_failed", reason=escaped(reason))
            self.ui.show_status(f"* {text}")

    # what the greeting calls

    @property
    def wants_connection(self) -> bool:
        """Whether a conversation may begin, as nobody ended it meanwhile."""
        return self.conversation.free

    def native_protocol(self) -> NativeClientProtocol:
        """Romeo speaks the native dialect, and is not spoken to in another any more."""
        self._dialect = WireProtocol.NATIVE
        kept, options = self._kept, self.options
        return NativeClientProtocol(
            self.conversation,
            self,
            kept.outbox,
            kept.client_session,
            self.reactor,
            options["ping-interval"],
            options["ping-timeout"],
            None if options["socket"] is not None else options["name"],
            self._log_entry,
        )

    def plain_protocol(self) -> PlainPeerProtocol:
        """Romeo speaks plain lines."""
        self._dialect = WireProtocol.PLAIN
        mistaken = None if self.options["plain"] else self._mistaken
        max_line = self.options["max-line"]
        return PlainPeerProtocol(self.conversation, ROMEO, self.reactor, max_line, mistaken, self._log_entry)

    def unanswered(self) -> None:
        """The connection was closed before it was known how Romeo speaks."""
        if self.conversation.free:
            why = "connection closed before the server answered"
            self._tell_reason(why, f"{why}; calling again until it does")
            self._factory.call_again()

    # what the native door calls

    def heard(self) -> None:
        """Romeo gave a sign of life."""
        self._reply_timeout.on_received()

    def returning(self) -> None:
        """Romeo goes, and will be back."""
        self._return = ReconnectDelay.WITH_OTHERS
        if self.conversation.free:
            self.waiting(again=True)

    def busy(self, why: str) -> None:
        """The server has no room: try again if this client was in before, else end."""
        if self._was_connected and self.wants_connection:
            self._tell_reason(why, f"{why}; calling again until there is room")
            self._factory.call_again()
        else:
            self.refused(why)

    def refused(self, why: str) -> None:
        """Romeo does not want to talk."""
        if self.conversation.state is not ConversationState.OVER:
            self.give_up(exit_status.UNAVAILABLE, f"juliet: {why}")

    # what the conversation calls

    def waiting(self, again: bool) -> None:
        """Nobody is at the other end: call, for no longer than the timeout."""
        self._alone_since, self._reason = self.reactor.seconds(), ""
        self.ui.show_status(f"Calling {self._place}...")
        if not again:
            return
        self._was_connected = True
        if self._return is ReconnectDelay.WITH_OTHERS and self.options["socket"] is None:
            self._return = ReconnectDelay.SOON
            self._factory.call_later()
        else:
            self._factory.call_again()

    def hurry(self) -> None:
        """The person here pressed Enter: call now."""
        self._factory.call()

    def not_kept(self, why: str) -> None:
        """The state directory cannot be written to: end the program, and leave what is kept as it is."""
        if self._status != exit_status.IO_ERROR:
            self._status = exit_status.IO_ERROR
            self.ui.show_status(f"{self.options.program}: {why}{self._fate()}")
            self.reactor.callLater(0, self.conversation.leave, PROMPTLY)

    def shown(self) -> None:
        """Remember up to where the conversation was shown."""
        self._kept.client_session.shown()

    def over(self, whole: bool) -> None:
        """The conversation is over: say what is not known of what was said."""
        if whole and self._dialect is WireProtocol.PLAIN and self.keyboard is InputSource.SCRIPT:
            self.ui.show_status("* the lines were sent, not confirmed: plain lines are not acknowledged")
        if (self._unread or not whole) and self._status == exit_status.OK:
            self._status = exit_status.UNAVAILABLE
            self.ui.show_status(f"* {self._unsure()}")
        self.ended()

    def _mistaken(self) -> None:
        """Romeo speaks the native dialect, and was slow to say so."""
        self._dialect = WireProtocol.NATIVE
        self._factory.call_anew()

    @property
    def _awaits_a_word(self) -> bool:
        """Whether Romeo ought to say something."""
        return self.conversation.free or self.outbox.lines > 0

    def _unsure(self) -> str:
        lines = self.outbox.lines
        fates = [self._kept.what_becomes_of(lines) if lines else "", self._unread]
        return "; ".join(filter(None, fates)) or unsent_notice(lines)

    def _sample(self) -> Sample:
        peer, outbox = self.conversation.peer, self.outbox
        missing = 0 if peer is None else peer.missing
        return Sample(outbox.delivered, outbox.lines, missing=missing, limit=outbox.rate)

    def _rest_of_input(self) -> str:
        """Return how much of a file was not read, if some was not; of a pipe that is not known."""
        if self.keyboard is not InputSource.SCRIPT:
            return ""
        rest = FilePosition(self._streams.stdin)
        size = rest.total
        rest.close()
        return f"{size} bytes of the input were not read" if size else ""

    def _hello(self) -> Hello:
        known, received = self._kept.client_session.known, self._kept.client_session.received
        seen = None if known.session is None else received
        hears = self.options["hears"]
        return Hello(self.options["name"], known.session, known.log, known.room, seen, hears)

    def _time_is_up(self) -> None:
        self._status = exit_status.UNAVAILABLE
        seconds = self.options["timeout"]
        self.ui.show_status(f"juliet: no answer from {self._place} in {seconds:g} s{self._fate()}")
        self.conversation.abandon()

    def _fate(self) -> str:
        """Return what becomes of the lines that wait, after a reason to end; nothing if there are none."""
        lines = self.outbox.lines
        return f"; {self._kept.what_becomes_of(lines)}" if lines else ""


def _whereabouts(reactor: IReactor, options: ConversationOptions) -> tuple[IStreamClientEndpoint, str]:
    """Return where Romeo is, for the reactor and for people."""
    path, host, port = options["socket"], options["host"], options["port"]
    if path is not None:
        return UNIXClientEndpoint(reactor, path), path
    return HostnameEndpoint(reactor, host, port, attemptDelay=ATTEMPT_DELAY), host_and_port(host, port)
