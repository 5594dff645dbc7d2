"""Romeo, who waits: ``twist romeo``."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from techboy import exits
from techboy.chat.conversation import Keyboard
from techboy.chat.names import checked_name
from techboy.doors.addresses import host_and_port, peer_of, place_of
from techboy.doors.busy import TurnedAway
from techboy.doors.plain import PlainDoor
from techboy.options import PORT, ConversationOptions, option, port_number
from techboy.program import IReactor, Program
from techboy.terminal.questions import ask
from techboy.terminal.streams import Streams
from techboy.wire.plain import HOST

ADDRESS = "0.0.0.0"
GUEST = "juliet"


class Options(ConversationOptions):
    """Wait for Juliet, and talk."""

    program = "romeo"

    optParameters = [
        ["host", None, None, f"Address to listen on [default: {ADDRESS}]"],
        ["port", "p", None, f"Port to listen on, 0 for any [default: {PORT}]", option("port", port_number)],
        ["name", None, "romeo", "What you are called", option("name", checked_name)],
    ]
    optFlags = [
        ["once", None, "Without a keyboard: end when the first guest has left"],
        ["stay", None, "With a keyboard: wait for the next guest when one has left"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, endpoint: str) -> None:
        """Twisted server endpoint to listen on, instead of host and port; may be repeated."""
        self["listen"].append(endpoint)

    def postOptions(self) -> None:
        """Refuse what does not go together, and fill in what was not said."""
        if self["listen"] and (self["host"] is not None or self["port"] is not None):
            raise UsageError("--listen goes without --host and --port")
        if self["once"] and self["stay"]:
            raise UsageError("--once and --stay do not go together")
        super().postOptions()
        self["host"] = ADDRESS if self["host"] is None else self["host"]
        self["port"] = PORT if self["port"] is None else self["port"]

    def talks(self, streams: Streams) -> bool:
        """A daemon's standard output is its log's, unless --output was said outright."""
        return self["output"] is not None or streams.keyboard is not Keyboard.NONE

    def ask(self, streams: Streams) -> None:
        """Ask for address and port, as the original did."""
        if not self["listen"] and self["host"] is None and self["port"] is None:
            self["host"] = ask(streams, f"Enter Romeo IP address ex : {ADDRESS} : ", ADDRESS, str)
            self["port"] = ask(streams, f"Enter Romeo port number ex : {PORT} : ", PORT, port_number)


class RomeoFactory(ServerFactory):
    """Lets one guest at a time into the conversation; who comes meanwhile is told that Romeo is busy."""

    noisy = False
    _log = Logger()

    def __init__(self, romeo: Romeo) -> None:
        self._romeo = romeo

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return the door for a caller."""
        romeo = self._romeo
        name, caller, clock = romeo.options["name"], peer_of(addr), romeo.reactor
        if not romeo.conversation.free:
            self._log.info("turned away {caller}: busy", caller=caller)
            return TurnedAway(f"{name} is busy talking to somebody else; try again later", clock)
        self._log.info("connection from {caller}", caller=caller)
        return PlainDoor(romeo.conversation, HOST, GUEST, clock, romeo.options["max-line"])


class Romeo(Program):
    """Listens, and talks to one guest at a time."""

    def __init__(self, reactor: IReactor, options: Options, streams: Streams) -> None:
        daemon = streams.keyboard is Keyboard.NONE
        stays = bool(options["stay"]) or (daemon and not options["once"])
        super().__init__(reactor, options, streams, HOST, stays=stays)
        self._factory = RomeoFactory(self)
        self._refusals: list[str] = []
        self._ports: list[Deferred[IListeningPort | None]] = []

    def startService(self) -> None:
        """Listen, or end with one line that says why not."""
        self._ports = [self._listen(place, endpoint) for place, endpoint in self._endpoints()]
        if self._refusals:
            exits.fail(exits.NO_LISTENING, self._refusals[0])
        super().startService()
        for port in self._ports:
            port.addCallback(self._announce)

    def stopService(self) -> Deferred[Any]:
        """Listen no more, say goodbye; fires when everything was sent and shown."""
        closed = [port.addCallback(_stop_listening) for port in self._ports]
        return gatherResults([*closed, super().stopService()])

    def _endpoints(self) -> list[tuple[str, IStreamServerEndpoint]]:
        host, port, described = self.options["host"], self.options["port"], self.options["listen"]
        if described:
            return [(text, self._endpoint(text)) for text in described]
        kind = TCP6ServerEndpoint if isIPv6Address(host) else TCP4ServerEndpoint
        return [(host_and_port(host, port), kind(self.reactor, port, interface=host))]

    def _endpoint(self, text: str) -> IStreamServerEndpoint:
        try:
            return cast(IStreamServerEndpoint, serverFromString(self.reactor, text))
        except Exception as refused:  # each kind of endpoint has errors of its own
            exits.fail(exits.USAGE, f"romeo: --listen {text}: {_why(refused)}")

    def _listen(self, place: str, endpoint: IStreamServerEndpoint) -> Deferred[IListeningPort | None]:
        return maybeDeferred(endpoint.listen, self._factory).addErrback(self._cannot_listen, place)

    def _cannot_listen(self, failure: Failure, place: str) -> None:
        refusal = f"romeo: can't listen on {place}: {_why(failure.value)}"
        if self.running:
            self.give_up(exits.NO_LISTENING, refusal)
        else:
            self._refusals.append(refusal)

    def _announce(self, port: IListeningPort | None) -> IListeningPort | None:
        if port is not None:
            self.here.state(f"Listening for connection on {place_of(port.getHost())}...")
        return port


def _stop_listening(port: IListeningPort | None) -> Deferred[Any]:
    return maybeDeferred(lambda: port and port.stopListening())


def _why(error: BaseException | None) -> str:
    if isinstance(error, CannotListenError):
        error = error.socketError
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition("\n")[0] or type(error).__name__


def makeService(options: Options) -> Romeo:
    """Return Romeo as `twist` runs him."""
    from twisted.internet import reactor

    return Romeo(cast(IReactor, reactor), options, options.streams())
