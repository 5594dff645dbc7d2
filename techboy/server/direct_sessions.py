"""A conversation of two in which the guest speaks the native dialect: a house with two members."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from techboy.chat.conversation import Conversation, IllegalEventError, Words
from techboy.chat.outbox import Outbox
from techboy.chat.server import House
from techboy.chat.session import Session
from techboy.net.addresses import peer_of
from techboy.net.rendering import Delivery
from techboy.server.broker import Hall
from techboy.server.delivery import UNSTORED_LIMIT
from techboy.server.native import NativeGuest
from techboy.server.sessions import Lodger, Lodging, Stay
from techboy.storage.interface import Batch
from techboy.wire.frames import CLOSED, RESTART, Hello, ServerBye
from techboy.wire.plain import Command


class Ending(Enum):
    """How far a goodbye has got."""

    NONE = auto()
    LAST_WORDS = auto()  # ours is said when the guest has everything, and the guest's is waited for
    CLOSING = auto()  # the connection is closed when the guest has everything


class Duet(Lodging):
    """The lodging of such a house, what its host is in it, and what the conversation sees of the guest.

    What is said here goes into the log as the host's; what comes out of the log by another is the guest's.
    ``back_soon``: the program is ended by whoever may start it again.
    """

    name = address = ""  # the guest's
    back_soon = False
    _log = Logger()
    _guest: NativeGuest | None = None
    _ending = Ending.NONE
    _answered = False
    _deadline: IDelayedCall | None = None
    _within = 0.0

    def __init__(
        self,
        house: House,
        hall: Hall,
        conversation: Conversation,
        new_token: Callable[[], str],
        grace: float,
    ) -> None:
        super().__init__(house, hall, new_token, grace)
        self._conversation = conversation
        self._host = house.enter(self, hall.wall(), host=True)

    @property
    def silence(self) -> float:
        """For how many seconds nothing was heard from the guest."""
        return 0.0 if self._guest is None else self._guest.silence

    @property
    def missing(self) -> int:
        """All is here."""
        return 0

    # what the guest's door calls

    def arrive(self, guest: Lodger, hello: Hello) -> None:
        """Let ``guest`` in if nobody is here, or only its own earlier connection; else it is told "busy"."""
        if not self._takes_over(hello) and not self.may_enter(guest):
            return
        if hello.session is None or not self.knows(hello.session):
            self.forget_absent()
        super().arrive(guest, hello)

    def other_room(self, session: Session, hello: Hello) -> None:
        """There is one room."""

    def may_enter(self, guest: Lodger) -> bool:
        """Tell whether nobody is here."""
        if not self._conversation.free:
            guest.busy(f"{self.house.rules.host} is busy talking to somebody else; try again later")
        return self._conversation.free

    def entered(self, guest: Lodger) -> None:
        """Begin to talk, or go on; raise IllegalEventError if somebody is here."""
        assert isinstance(guest, NativeGuest)
        if self._guest is not None:
            raise IllegalEventError("a client entered while another is here")
        self._guest, self._ending, self._answered = guest, Ending.NONE, False
        self.name = guest.member.name
        self.address = peer_of(guest.transport.getPeer())
        self._conversation.peer_came(self)

    def lost(self, guest: Lodger) -> None:
        """Wait for the guest to come back."""
        super().lost(guest)
        if guest is self._guest:
            self._lose_guest()

    def gone(self, guest: Lodger) -> None:
        """The connection of a guest who was closed is gone."""
        if guest is self._guest:
            self._guest = None
            self._stop_deadline()
            self._conversation.peer_gone(clean=self._answered)

    def said_goodbye(self, guest: Lodger) -> None:
        """Tell the conversation."""
        self._answered = True
        self._conversation.peer_left()

    def caught_up(self, guest: Lodger) -> None:
        """The guest has everything: go on, or part if that was waited for."""
        if guest is self._guest:
            if self._host.unstored <= UNSTORED_LIMIT:
                self._conversation.peer_ready()
            self._part_if_all_is_said()

    def obey(self, guest: Lodger, line: str) -> list[str]:
        """Tell the conversation, which knows no commands."""
        self._conversation.peer_commanded(Command(line).word)
        return []

    # what the conversation calls

    def send_from(self, outbox: Outbox) -> None:
        """Say what waits: the log keeps it."""
        for chunk in outbox.take_all():
            self.house.said(self._host, chunk.text, chunk.kind)
        if self._host.unstored > UNSTORED_LIMIT:
            self._conversation.peer_full()

    def notice(self, text: str) -> None:
        """Tell the guest one line about the conversation itself."""
        if self._guest is not None:
            self._guest.tell([text])

    def command(self, line: str) -> None:
        """Commands are obeyed here, not at the other end."""

    def pause(self) -> None:
        """Read no more from the guest."""
        if self._guest is not None:
            self._guest.pause()

    def resume(self) -> None:
        """Read from the guest again."""
        if self._guest is not None:
            self._guest.resume()

    def part(self, within: float, flushed_within: float | None) -> None:
        """Say goodbye when the guest has everything, or after ``flushed_within`` seconds; see `Parting`."""
        last_words = flushed_within is None and not self._answered
        self._ending = Ending.LAST_WORDS if last_words else Ending.CLOSING
        self._within = within
        if flushed_within is not None:
            self._stop_deadline()
            self._deadline = self.hall.clock.callLater(flushed_within, self._close)
        self._part_if_all_is_said()

    def abort(self) -> None:
        """Be gone at once."""
        if self._guest is not None:
            self._guest.abort()

    def end_within(self, seconds: float) -> None:
        """Be gone after so many seconds."""
        if self._guest is not None:
            self._guest.end_within(seconds)

    # what the house calls

    def tell(self, notices: list[str]) -> bool:
        """Keep who comes and goes to itself: the conversation says so."""
        return True

    def recall(self, batches: list[Batch]) -> bool:
        """There are no commands that ask for it."""
        return False

    def hear(self, delivery: Delivery) -> None:
        """Show what the guest said; see whether it can take what was said here."""
        for batch in delivery.batches:
            if batch.by != self._host.number:
                words = Words(batch.author, batch.text, batch.kind, batch.first, batch.at)
                self._conversation.peer_told(words)
        if delivery.batches:
            self.hall.clock.callLater(0, self._look_at_guest)

    def fail(self) -> None:
        """Log the exception that is being handled."""
        self._log.failure("an internal error in the conversation", event="failed")

    def stored(self, last: int) -> None:
        """What was said here is on its way."""

    def not_stored(self, why: str) -> None:
        """Tell the person here, or whoever reads along."""
        self._conversation.peer_refused(f"not stored, and not said: {why}; say it again later")
        self._look_at_guest()

    def goodbye(self, why: str) -> None:
        """Nobody sends the host away."""

    def moved(self) -> None:
        """There is one room."""

    @property
    def behind(self) -> int:
        """Nothing waits for the host."""
        return 0

    def _takes_over(self, hello: Hello) -> bool:
        """Return whether ``hello`` is for the session of the one who is here and may still be heard."""
        if self._guest is None or hello.session is None or not self._conversation.is_talking:
            return False
        session = self._guest.member.session
        return session is not None and session.digest == self.digest(hello.session)

    def _take_over(self, stay: Stay, guest: Lodger, hello: Hello) -> None:
        if stay.member.guest is self._guest:
            self._lose_guest()
        super()._take_over(stay, guest, hello)

    def _lose_guest(self) -> None:
        self._guest = None
        self._stop_deadline()
        self._conversation.peer_lost(unsure=True)

    def _given_up(self, stay: Stay) -> None:
        super()._given_up(stay)
        self._conversation.peer_given_up()

    def _look_at_guest(self) -> None:
        guest = self._guest
        if guest is None:
            return
        if guest.has_everything and self._host.unstored <= UNSTORED_LIMIT:
            self.caught_up(guest)
        elif not guest.is_closing:
            self._conversation.peer_full()

    def _part_if_all_is_said(self) -> None:
        guest = self._guest
        if guest is None or self._host.unstored or not guest.has_everything:
            return
        if self._ending is Ending.CLOSING:
            self._close()
        elif self._ending is Ending.LAST_WORDS and self._deadline is None:
            guest.send(ServerBye(CLOSED))
            self._deadline = self.hall.clock.callLater(self._within, self._close)

    def _close(self) -> None:
        self._stop_deadline()
        if self._guest is not None:
            self._guest.close_with(
                ServerBye(RESTART if self.back_soon else CLOSED), self._within, self._within
            )

    def _stop_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
