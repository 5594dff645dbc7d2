"""Juliet, who calls: ``twist juliet``."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IAddress, IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, ReconnectingClientFactory
from twisted.python.failure import Failure

from techboy import exit_status
from techboy.chat.acquaintance import ClientSession, MemorySessionStore
from techboy.chat.conversation import ConversationState, InputSource, lines_wait
from techboy.chat.nicknames import checked_nickname
from techboy.chat.outbox import Outbox
from techboy.client.connector import EndpointConnector, reason_for
from techboy.client.handshake import ClientHandshake
from techboy.client.native import NativeClientProtocol
from techboy.client.plain import PlainPeerProtocol
from techboy.config.options import PORT, ConversationOptions, option_type
from techboy.config.reactor import current, steady
from techboy.config.values import duration, place, socket_path, whole_number
from techboy.net.addresses import endpoint_of, host_and_port
from techboy.net.connection_log import ConnectionLogEntry, escaped, null_log_entry
from techboy.net.reply_timeout import ReplyTimeout
from techboy.service import IReactor
from techboy.storage.client_store import ClientState, ClientStore
from techboy.storage.interface import StorageError
from techboy.storage.state_dir import StateDirectory
from techboy.talk import PeerChat
from techboy.terminal.progress import FilePosition
from techboy.terminal.questions import ask
from techboy.terminal.streams import Streams
from techboy.wire.frames import Hello

HOST = "127.0.0.1"
_CALLED, _PLACE = whole_number(1, 65535, "port"), place(1)
ROMEO = "romeo"

ATTEMPT_DELAY = 0.1
"""Seconds between attempts at a name's several addresses: the least that RFC 8305, section 8, allows.

Twisted's endpoint waits as long before it says that the last one failed, and a retry is to come quickly.
"""

SPREAD = 5.0
"""Seconds over which those who were told that Romeo will be back call him again."""

STATE_FILE = "juliet.sqlite"

STEADY = 1.0
"""Seconds that a connection has to last for the next call to come as soon as the first."""


class Options(ConversationOptions):
    """Call Romeo until he answers, and talk."""

    program = "juliet"

    optParameters = [
        [
            "host",
            None,
            None,
            f"Name or address of the server, with or without :PORT [default: {HOST}]",
            option_type("host", _PLACE),
        ],
        ["port", "p", None, f"Port of the server [default: {PORT}]", option_type("port", _CALLED)],
        ["name", None, "juliet", "Your nickname", option_type("name", checked_nickname)],
        [
            "timeout",
            None,
            None,
            "Exit if the server cannot be reached, or does not acknowledge, for so long [default: never]",
            option_type("timeout", duration()),
        ],
        [
            "socket",
            None,
            None,
            "Connect to the operator's socket of a server, instead of host and port",
            option_type("socket", socket_path),
        ],
    ]
    optFlags = [["plain", None, "Send plain text lines, without acknowledgement"]]
    sides = (frozenset({"host", "port"}), frozenset({"socket"}))

    def postOptions(self) -> None:
        """Refuse what does not go together, and fill in what was not said."""
        self.refuse_missing()
        self.split_host()
        if self["socket"] is not None:
            self._refuse_with_socket()
        self["hears"] = self["socket"] is None or self.streams().keyboard is not InputSource.SCRIPT
        super().postOptions()
        self["dialect"] = self._dialect()
        self["host"] = HOST if self["host"] is None else self["host"]
        self["port"] = PORT if self["port"] is None else self["port"]

    def _refuse_with_socket(self) -> None:
        if self["host"] is not None or self["port"] is not None:
            self.refuse("--socket cannot be combined with --host or --port", "socket", "host", "port")
        if self["plain"]:
            self.refuse("--socket cannot be combined with --plain", "socket", "plain")

    def _dialect(self) -> WireProtocol:
        if self["socket"] is not None:
            return WireProtocol.NATIVE
        return WireProtocol.PLAIN if self["plain"] else WireProtocol.UNKNOWN

    def ask(self, streams: Streams) -> None:
        """Ask where Romeo is, as the original did."""
        if self["host"] is not None or self["socket"] is not None:
            return
        self.ask_host(streams, "Enter Romeo IP address - ex: 0.tcp.ngrok.io : ", HOST, _PLACE)
        if self["port"] is None:
            self["port"] = ask(streams, "Enter Romeo port number - ex: 13005  : ", PORT, _CALLED)


class WireProtocol(Enum):
    """How Romeo is spoken to."""

    UNKNOWN = auto()
    NATIVE = auto()
    PLAIN = auto()


class ReconnectDelay(Enum):
    """How soon to call again."""

    SOON = auto()
    WITH_OTHERS = auto()  # Romeo was started again, and many call


class ReportingStore:
    """A keepsake to which nothing more is written after a first failure, of which ``failed`` is told why.

    So what it keeps stays as it was then, whatever happens until the program ends.
    """

    def __init__(self, client_store: ClientStore, failed: Callable[[str], None]) -> None:
        self._client_store, self._failed = client_store, failed
        self._failure: StorageError | None = None

    @property
    def known(self) -> ClientState:
        """What is known, as it was stored last."""
        return self._client_store.known

    def save_session(self, known: ClientState) -> None:
        """Store what is known now."""
        self._guard(lambda: self._client_store.save_session(known))

    def save_seen(self, seen: int) -> None:
        """Store up to which id lines were shown."""
        self._guard(lambda: self._client_store.save_seen(seen))

    def save(self, first: int, text: str, kind: str) -> None:
        """Keep lines of one ``kind`` with numbers from ``first`` on, or raise StorageError."""
        self._guard(lambda: self._client_store.save(first, text, kind))
        if self._failure is not None:
            raise self._failure

    def forget(self, before: int) -> None:
        """Keep lines with lower numbers no more."""
        self._guard(lambda: self._client_store.forget(before))

    def replace(self, first: int) -> None:
        """Give what is kept new numbers."""
        self._guard(lambda: self._client_store.replace(first))

    def sending(self, before: int) -> bool:
        """Store that lines with lower numbers may have been sent; return whether that is stored."""
        self._guard(lambda: self._client_store.sending(before))
        return self._failure is None

    def _guard(self, store: Callable[[], None]) -> None:
        if self._failure is None:
            try:
                store()
            except StorageError as refused:
                self._failure = refused
                self._failed(str(refused))


class ClientStorage:
    """What Juliet keeps, in a directory if ``options`` say so: lines not stored yet, and where she was.

    Making it ends the process with one line where that directory can't be used.
    """

    def __init__(self, options: ConversationOptions, failed: Callable[[str], None]) -> None:
        self._folder: StateDirectory | None = None
        self._client_store: ClientStore | None = None
        self.outbox, self.client_session = Outbox(), ClientSession(MemorySessionStore())
        path = options["state"]
        if path is None:
            return
        try:
            self._folder = StateDirectory(path)
            self._client_store = ClientStore(Path(path, STATE_FILE))
            outbox_store = ReportingStore(self._client_store, failed)
            self.outbox = Outbox(
                outbox_store, self._client_store.kept(), self._client_store.next, self._client_store.tried
            )
        except StorageError as refused:
            exit_status.fail(exit_status.IO_ERROR, f"{options.program}: {refused}")
        self.client_session = ClientSession(outbox_store)

    def what_becomes_of(self, lines: int) -> str:
        """Return whether ``lines`` that are not stored are lost."""
        if self._client_store is None:
            return f"{_lines(lines)} not stored, and lost"
        return f"{_lines(lines)} kept for the next time"

    def close(self) -> None:
        """Let go of the directory."""
        if self._client_store is not None:
            self._client_store.close()
        if self._folder is not None:
            self._folder.close()


def _lines(count: int) -> str:
    return "1 line is" if count == 1 else f"{count} lines are"


class ConnectorState(Enum):
    """What the factory is doing: at most one timer, connection attempt or connection at a time."""

    IDLE = auto()
    WAITING = auto()  # for a timer, after which it connects
    CONNECTING = auto()
    CONNECTED = auto()  # until the program reports that the connection was lost or given up
    STOPPED = auto()  # for good


class ChatClientFactory(ReconnectingClientFactory):
    """Connects to the server, and again after a delay when that fails or the connection is lost.

    ``juliet`` is told the outcome. ``spread`` returns the part of a delay that is waited: it is random, so
    that many clients do not connect at the same moment.
    """

    noisy = False
    initialDelay = delay = 0.1
    factor = 1.6
    maxDelay = 15
    jitter = 0.0  # the base class' own has no bound, and goes past maxDelay
    connector: EndpointConnector
    state = ConnectorState.IDLE
    _callID: IDelayedCall | None = None

    def __init__(self, juliet: ChatClient, spread: Callable[[], float]) -> None:
        self.clock = cast(Any, juliet.reactor)
        self.connector = EndpointConnector(juliet.endpoint, self)
        self._juliet, self._spread = juliet, spread
        self._answered_at = 0.0

    def call(self) -> None:
        """Connect now, with short delays from here on, unless an attempt or a connection is there already."""
        if self.state in (ConnectorState.IDLE, ConnectorState.WAITING):
            self.resetDelay()
            self._connect()

    def call_anew(self) -> None:
        """The connection was given up: connect now."""
        self._disconnected()
        self.call()

    def call_again(self) -> None:
        """The connection is lost: connect again soon, or after a longer delay if it was lost at once."""
        if self._disconnected():
            if self._juliet.reactor.seconds() - self._answered_at >= STEADY:
                self.resetDelay()
            self.retry()

    def call_later(self) -> None:
        """The connection is lost, and many others are: connect again within a few seconds."""
        if self._disconnected():
            self.resetDelay()
            self._connect_after(SPREAD * self._spread())

    def resetDelay(self) -> None:
        """Begin with short delays again; a timer that runs is kept, unlike in the base class."""
        timer = self._callID
        super().resetDelay()
        self._callID = timer

    def stopTrying(self) -> None:
        """Stop for good: no timer and no attempt is left, and none begins."""
        self.state = ConnectorState.STOPPED
        super().stopTrying()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """The server answers: return the door, or None if this is not the attempt that is awaited."""
        juliet = self._juliet
        if self.state is not ConnectorState.CONNECTING or not juliet.conversation.free:
            return None
        self.state = ConnectorState.CONNECTED
        self._answered_at = juliet.reactor.seconds()
        return juliet.handler(juliet.connection_log.opened(endpoint_of(addr)))

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        """The attempt failed: say why, and connect again later."""
        if self.state is ConnectorState.CONNECTING:
            self.state = ConnectorState.IDLE
            self._juliet.not_answered(reason_for(reason))
            super().clientConnectionFailed(connector, reason)

    def retry(self, connector: object = None) -> None:
        """Connect again after a delay that grows, of which a random part is waited."""
        self._connect_after(self.delay * self._spread())
        self.delay = min(self.delay * self.factor, self.maxDelay)

    def _connect_after(self, seconds: float) -> None:
        if self.state is ConnectorState.IDLE:
            self.state = ConnectorState.WAITING
            self._callID = self._juliet.reactor.callLater(seconds, self._connect)

    def _connect(self) -> None:
        if self._callID is not None and self._callID.active():
            self._callID.cancel()
        self._callID, self.state = None, ConnectorState.CONNECTING
        self.connector.connect()

    def _disconnected(self) -> bool:
        """Note that the connection is gone; return whether there was one."""
        if self.state is not ConnectorState.CONNECTED:
            return False
        self.state = ConnectorState.IDLE
        return True


class ChatClient(PeerChat):
    """Calls until Romeo answers, and again when the connection breaks."""

    def __init__(
        self,
        reactor: IReactor,
        options: Options,
        streams: Streams,
        wall: Callable[[], float] = time.time,
        spread: Callable[[], float] = lambda: random.uniform(0.5, 1.0),
    ) -> None:
        self._kept = ClientStorage(options, lambda why: self.not_kept(why))
        patient = not options["plain"]
        super().__init__(reactor, options, streams, self._kept.outbox, wall, patient=patient)
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
    def doing(self) -> str:
        """Juliet calls."""
        return f"calling {self._place}"

    @property
    def storage_error(self) -> str:
        """Why there was no answer."""
        return self._reason

    def startService(self) -> None:
        """Begin to call."""
        super().startService()
        lines = self.outbox.lines
        if lines:
            self.ui.show_status(f"* {_lines(lines)} kept from the last time")
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
        super().leave()

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
        self._reply_timeout.heard()

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
        super().waiting(again)
        self._reason = ""
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
        super().not_kept(f"{why}{self._fate()}")

    def shown(self) -> None:
        """Remember up to where the conversation was shown."""
        self._kept.client_session.shown()

    def over(self, whole: bool) -> None:
        """The conversation is over: say what is not known of what was said."""
        if whole and self._dialect is WireProtocol.PLAIN and self.keyboard is InputSource.SCRIPT:
            self.ui.show_status("* the lines were sent, not confirmed: plain lines are not acknowledged")
        super().over(whole and not self._unread)

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
        return "; ".join(filter(None, fates)) or super()._unsure()

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


def _whereabouts(reactor: IReactor, options: Options) -> tuple[IStreamClientEndpoint, str]:
    """Return where Romeo is, for the reactor and for people."""
    path, host, port = options["socket"], options["host"], options["port"]
    if path is not None:
        return UNIXClientEndpoint(cast(Any, reactor), path), path
    return HostnameEndpoint(reactor, host, port, attemptDelay=ATTEMPT_DELAY), host_and_port(host, port)


def makeService(options: Options) -> ChatClient:
    """Return Juliet as `twist` runs her."""
    return ChatClient(cast(IReactor, steady(current())), options, options["streams"])
