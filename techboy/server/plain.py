"""The door of a guest in a house, who speaks plain lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from twisted.internet.interfaces import IDelayedCall

from techboy.chat.counters import Refusal
from techboy.chat.isolation import isolated
from techboy.chat.member import READING_FAILS, Member
from techboy.chat.policy import BackPressure, PlainText, Presence, Rooms
from techboy.chat.rate_limit import Bucket
from techboy.chat.server import House
from techboy.net.connection_log import End, Record
from techboy.net.plain_receiver import PlainReceiver
from techboy.net.read_pauser import Pauses, Reason
from techboy.net.rendering import BARE, PLAIN, Rendering, gone, plain_notices, slowed_down
from techboy.server.broker import Hall
from techboy.server.delivery import UNSTORED_LIMIT, FlowingDoor
from techboy.server.lifecycle import ClientLifecycle, Farewell
from techboy.storage.interface import Batch, StorageError
from techboy.wire.frames import ServerBye
from techboy.wire.lines import LF
from techboy.wire.plain import HOST, Command, Goodbye, Said, in_room, notice

_GOODBYE_WITHIN = 1.0  # seconds for a guest to close its half, once we have
_RELEASED_TOGETHER = 20  # lines, so that a flood is not said one by one


class GuestDoor(FlowingDoor, PlainReceiver):
    """A guest's connection: a member's `Guest`, and a `Client` of the ``lifecycle``."""

    member: Member
    _held: bytes | None = None  # lines that the rate does not allow yet
    _release: IDelayedCall | None = None

    def __init__(
        self,
        house: House,
        hall: Hall,
        bucket: Bucket,
        max_line: int,
        record: Record | None = None,
        lifecycle: ClientLifecycle | None = None,
    ) -> None:
        super().__init__(hall.clock, max_line, record)
        self._lifecycle = lifecycle or ClientLifecycle()
        self._policy = house.rules.policy
        self.dialect = BARE if self._policy.plain_text is PlainText.BARE else PLAIN
        self._house, self._hall, self._bucket = house, hall, bucket
        self._heard_at = hall.clock.seconds()
        self._pauses = Pauses(self.pauseProducing, self.resumeProducing)

    # what the receiver calls

    def came(self) -> None:
        """Bring the guest in."""
        self.member = self._enter()
        self.cursor = self._lifecycle.first_offset(self.member.room)
        self.open_flow()
        is_one_of_many = self._policy.rooms is Rooms.MANY
        self._record.entered(self.member.name, self.member.room.name if is_one_of_many else None)
        if self._policy.presence is Presence.ANNOUNCED:
            self._greet(self._house.welcome(self.member))
        self._lifecycle.entered(self)
        self.catch_up()

    def heard(self, block: bytes) -> None:
        """Do and say what the guest's lines mean, as fast as it may."""
        self._heard_at = self.clock.seconds()
        allowed = block if self._bucket.unlimited else self._allowed(block)
        if allowed is not None:
            self._obey(allowed)
            if self.member.unstored > UNSTORED_LIMIT:
                self._pauses.begin(Reason.STORE)

    def too_long(self) -> None:
        """Count it."""
        self._hall.tally.refuse(Refusal.LINE)

    def left(self) -> None:
        """The guest closed its half, which is a goodbye."""
        self._record.ends(End.LEFT)
        self._lifecycle.said_goodbye(self, Farewell.LISTENS)

    def gone(self, clean: bool) -> None:
        """Forget the guest."""
        self.drop_flow()
        self._stop_release()
        self._house.leave(self.member)
        self._lifecycle.gone(self, clean=clean)

    def displaced(self) -> bool:
        """Go, as the caller speaks another dialect; not where goodbye was said already."""
        usable = not self.is_closing
        self.retire()
        self._lifecycle.displaced(self)
        self.gone(True)
        return usable

    # what the house calls

    def tell(self, lines: list[str]) -> bool:
        """Show lines about the house itself; return False where too much waits already."""
        return self._show(plain_notices(lines)[:-1])

    def recall(self, batches: list[Batch]) -> bool:
        """Show history, with its time in brackets; return False if too much waits already."""
        return self._show("\n".join(self._past(batches)).encode())

    def stored(self, last: int) -> None:
        """Read on, if that waited for the disk."""
        self._pauses.end(Reason.STORE)

    def not_stored(self, why: str) -> None:
        """Tell the guest, who has no other copy that is sent again."""
        self.notice(f"message not sent: {why}. Try again later.")
        self._pauses.end(Reason.STORE)

    def goodbye(self, why: str) -> None:
        """Tell ``why``, unless that is clear, and close."""
        if not self.is_closing:
            self._lifecycle.closing(self)
            self._close(why)

    def give_up(self) -> None:
        """Close the connection to a guest who can't be understood."""
        if not self.is_closing:
            self._close("")

    def _close(self, why: str) -> None:
        self._record.closes(why)
        if not self.is_ready:
            self._send_what_is_left()
        if why:
            self.notice(why)
        self.close_flow()
        self.hear_no_more()
        self._pauses.forget()  # so that the guest's own goodbye is seen
        self._house.leave(self.member)
        self.part(_GOODBYE_WITHIN, _GOODBYE_WITHIN)

    # what the operator of a direct conversation calls

    def is_over(self) -> None:
        """The guest listens no more: take no notice of what it still sends."""
        self.hear_no_more()
        self._record.ends(End.LEFT)

    def say_last_words(self, within: float) -> None:
        """Close our half, and hear what the guest still says, for so many seconds at most."""
        self.close_flow()
        self.part(within, None)

    def take_leave(self, bye: ServerBye, within: float) -> None:
        """Close our half, and the rest within so many seconds; at once where our half is closed already."""
        self.close_flow()
        self._pauses.forget()
        if self._parting.begun:
            self._parting.close()
        else:
            self.part(within, within)

    # what the house calls

    @property
    def silence(self) -> float:
        """For how many seconds nothing was heard."""
        return self.clock.seconds() - self._heard_at

    def moved(self) -> None:
        """Go on in another room."""
        self.cursor = self.member.room.log.last
        self._greet(self._house.arrival(self.member))

    # what the flow calls

    def tell_gone(self, lines: int, upto: int) -> None:
        """Tell that so many lines were forgotten, where the guest can tell a notice from what was said."""
        if self._policy.plain_text is PlainText.SIGNED:
            self.notice(gone(lines))

    def caught_up(self) -> None:
        """Tell the lifecycle."""
        self._lifecycle.caught_up(self)

    def tell_throttled(self, rate: int) -> None:
        """Tell that lines are taken more slowly."""
        self.notice(slowed_down(rate))

    def sent_now(self) -> None:
        """Remember when."""
        self.wrote_now()

    def stalled(self) -> None:
        """End a connection that takes nothing, unless its author waits for it: it may be a person's."""
        if self._policy.back_pressure is BackPressure.LOG:
            super().stalled()

    takes_together = PlainReceiver.ends_lines  # it is looked at for each delivery

    def send_alone(self, rendering: Rendering) -> bool:
        """Send lines of one author, in the way that a peer without ends of lines reads."""
        if self.ends_lines:
            return super().send_alone(rendering)
        self.write_lines(rendering.data[:-1])
        return True

    def tell_news(self, lines: list[str]) -> None:
        """Tell what is new about who is here."""
        self.write_lines(plain_notices(lines)[:-1])

    def _send_what_is_left(self) -> None:
        for batch in self.what_is_left():
            self.write_lines(self.dialect.render([], [batch], 0).data[:-1])
            self._hall.tally.sent += batch.lines

    def _obey(self, block: bytes) -> None:
        self._record.lines += block.count(LF) + 1
        for event in HOST.understand(block):
            match event:
                case Said(text):
                    self._house.said(self.member, text)
                case Command(line):
                    self.tell(self._house.commanded(self.member, line))
                    self._record.called(self.member.name)
                case Goodbye():
                    self._lifecycle.said_goodbye(self, Farewell.LISTENS_NO_MORE)
            if not self.is_heard:
                return

    def _allowed(self, block: bytes) -> bytes | None:
        """Return the lines of ``block`` that may be said now, None for none, and keep the rest for later."""
        lines = block.count(LF) + 1
        allowed = self._bucket.take(lines, self.clock.seconds())
        if allowed < lines:
            block = self._hold(block, lines, allowed)
        return block if allowed else None

    def _hold(self, block: bytes, lines: int, allowed: int) -> bytes:
        """Keep all lines of ``block`` but those ``allowed`` for later, read no more, and return these."""
        parts = block.split(LF, allowed)
        self._held = parts[-1]
        self.throttle()
        wait = self._bucket.wait(min(lines - allowed, _RELEASED_TOGETHER))
        self._release = self.clock.callLater(wait, isolated, self, self._release_held)
        return LF.join(parts[:-1])

    def _release_held(self) -> None:
        held, self._held = self._held, None
        if held is not None and self.is_heard:
            self.heard(held)
        if self._held is None and not self.is_closing:
            self._pauses.end(Reason.RATE)

    def _stop_release(self) -> None:
        if self._release is not None and self._release.active():
            self._release.cancel()

    def _show(self, data: bytes) -> bool:
        """Send ``data``, lines joined by LF; return False if too much waits already."""
        room = self.makes_room_for(data)
        if data and room:
            self.write_lines(data)
        return room

    def _enter(self) -> Member:
        """Be a member, by the nickname that clients have here if that can be had."""
        now, name = self._hall.wall(), self._policy.client_name
        with suppress(ValueError):  # the operator may be called so
            return self._house.enter(self, now, name)
        return self._house.enter(self, now)

    def _greet(self, greeting: list[str]) -> None:
        """Show the greeting and the history, or the greeting alone if there is no room for both."""
        company = self._house.company(self.member)
        lines = [*map(notice, greeting), *self._history(), notice(company)]
        if not self._show("\n".join(lines).encode()):
            self.tell([*greeting, company])

    def _history(self) -> list[str]:
        if not self.has_room:
            return []
        try:
            return list(self._past(self._house.history(self.member)))
        except StorageError as unreadable:
            self._house.waker.unreadable(unreadable)
            return [notice(READING_FAILS)]

    def _past(self, batches: list[Batch]) -> Iterator[str]:
        for batch in batches:
            when = f"[{self._house.clock(batch.at)}] "
            yield when + in_room(batch.author, batch.kind, batch.text).replace("\n", f"\n{when}")
