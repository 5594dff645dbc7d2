"""What Romeo and Juliet have in common: a conversation, with whoever sits at this end of it."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorCore, IReactorFDSet, IReactorFromThreads, IReactorTime

from techboy import exits
from techboy.chat.conversation import Conversation, Keyboard
from techboy.options import ConversationOptions
from techboy.terminal.bridge import StdioBridge
from techboy.terminal.output import chosen
from techboy.terminal.prompt import Prompt, erasing
from techboy.terminal.reading import Person, Reader, Script
from techboy.terminal.streams import Streams, descriptor, is_terminal
from techboy.terminal.unseen import Unseen
from techboy.wire.plain import Plain


class IReactor(IReactorCore, IReactorTime, IReactorFDSet, IReactorFromThreads):
    """What is asked of the reactor."""


class Program(Service):
    """A conversation as a service; when it is over, the program ends.

    It is the conversation's `Owner`. ``dialect`` says which end this is.
    """

    on_interrupt = staticmethod(exits.on_interrupt)
    end_with = staticmethod(exits.end_with)

    def __init__(
        self,
        reactor: IReactor,
        options: ConversationOptions,
        streams: Streams,
        dialect: Plain,
        *,
        stays: bool,
    ) -> None:
        self.reactor, self.options, self.dialect = reactor, options, dialect
        self._streams, self._ended, self._status = streams, Deferred[None](), exits.OK
        self.here: StdioBridge | Unseen = self._bridge() if options["shown"] else Unseen(streams.states.write)
        self.conversation = Conversation(self.here, self, streams.keyboard, hosts=dialect.obeys, stays=stays)

    def startService(self) -> None:
        """Open keyboard and screen, and begin."""
        super().startService()
        if isinstance(self.here, StdioBridge):
            self.here.conversation = self.conversation
            silent = self._streams.keyboard is Keyboard.NONE
            stdin = None if silent else descriptor(self._streams.stdin)
            self.here.open(self.reactor, stdin, descriptor(self._streams.stdout))
        self.on_interrupt(lambda: self.reactor.callFromThread(self.conversation.leave))
        self.conversation.start()

    def stopService(self) -> Deferred[None]:
        """Say goodbye; fires when everything was sent and shown."""
        super().stopService()
        self.conversation.leave()
        return self._ended.addCallback(lambda _: self.here.close()).addCallback(self._set_status)

    def give_up(self, status: int, why: str) -> None:
        """End with ``status``, saying why."""
        self._status = status
        self.here.state(why)
        self.conversation.leave()

    # what the conversation calls

    def waiting(self, again: bool) -> None:
        """Nobody is at the other end: not yet, or not any more (``again``)."""

    def hurry(self) -> None:
        """The person here would like the other end to be reached now."""

    def over(self, whole: bool) -> None:
        """The conversation is over, and so is the program."""
        if not whole:
            self._status = exits.UNAVAILABLE
            self.here.state("* the connection ended too soon: the last lines may not have arrived")
        self._ended.callback(None)
        if self.running:
            self.reactor.stop()

    def _set_status(self, _: None) -> None:
        self.end_with(self._status or self.here.status)

    def _bridge(self) -> StdioBridge:
        options, streams = self.options, self._streams
        keyboard = streams.keyboard
        on_terminal = is_terminal(streams.stdout)
        prompt = None
        if keyboard is Keyboard.PERSON and on_terminal:
            prompt = Prompt(options["name"], erasing(options.terminal_type))
        output = chosen(options["output"], on_terminal, self.reactor.seconds)
        return StdioBridge(self._reader(keyboard), output, streams.states, options["max-line"], prompt)

    def _reader(self, keyboard: Keyboard) -> Reader:
        if keyboard is Keyboard.PERSON:
            return Person(self.options["max-line"])
        return Script(self.options["max-line"], self.dialect.written)
