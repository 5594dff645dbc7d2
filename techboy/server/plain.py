"""The door of a guest in a house, who speaks plain lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from twisted.internet.interfaces import IDelayedCall

from techboy.chat.counters import RejectReason
from techboy.chat.isolation import isolated
from techboy.chat.member import READING_FAILS, Member
from techboy.chat.policy import BackPressure, PlainText, Presence, Rooms
from techboy.chat.rate_limit import TokenBucket
from techboy.chat.server import ChatServer
from techboy.net.connection_log import CloseReason, ConnectionLogEntry
from techboy.net.plain_receiver import PlainReceiver
from techboy.net.read_pauser import PauseReason, ReadPauser
from techboy.net.rendering import BARE, PLAIN, Rendering, gone, plain_notices, slowed_down
from techboy.server.broker import Broker
from techboy.server.delivery import UNSTORED_LIMIT, LogConsumer
from techboy.server.lifecycle import ClientLifecycle, Farewell
from techboy.storage.interface import MessageBatch, StorageError
from techboy.wire.frames import ServerBye
from techboy.wire.lines import LF
from techboy.wire.plain import SERVER, Command, Goodbye, PlainMessage, notice, signed_lines

_GOODBYE_WITHIN = 1.0  # seconds for a guest to close its half, once we have
_RELEASED_TOGETHER = 20  # lines, so that a flood is not said one by one


class PlainServerProtocol(LogConsumer, PlainReceiver):
    """A guest's connection: a member's `MemberConnection`, and a `DirectClient` of the ``lifecycle``."""

    member: Member
    _held: bytes | None = None  # lines that the rate does not allow yet
    _release: IDelayedCall | None = None

    def __init__(
        self,
        chat: ChatServer,
        broker: Broker,
        bucket: TokenBucket,
        max_line: int,
        log_entry: ConnectionLogEntry | None = None,
        lifecycle: ClientLifecycle | None = None,
    ) -> None:
        super().__init__(broker.clock, max_line, log_entry)
        self._lifecycle = lifecycle or ClientLifecycle()
        self._policy = chat.config.policy
        self.dialect = BARE if self._policy.plain_text is PlainText.BARE else PLAIN
        self._chat, self._broker, self._bucket = chat, broker, bucket
        self._heard_at = broker.clock.seconds()
        self._pauses = ReadPauser(self.pauseProducing, self.resumeProducing)

    # what the receiver calls

    def came(self) -> None:
        """Bring the guest in."""
        self.member = self._enter()
        self.cursor = self._lifecycle.first_offset(self.member.room)
        self.start_delivery()
        is_one_of_many = self._policy.rooms is Rooms.MANY
        self._log_entry.joined(self.member.name, self.member.room.name if is_one_of_many else None)
        if self._policy.presence is Presence.ANNOUNCED:
            self._greet(self._chat.welcome_lines(self.member))
        self._lifecycle.entered(self)
        self.catch_up()

    def heard(self, block: bytes) -> None:
        """Do and say what the guest's lines mean, as fast as it may."""
        self._heard_at = self.clock.seconds()
        allowed = block if self._bucket.unlimited else self._allowed(block)
        if allowed is not None:
            self._obey(allowed)
            if self.member.pending_chars > UNSTORED_LIMIT:
                self._pauses.begin(PauseReason.STORE)

    def too_long(self) -> None:
        """Count it."""
        self._broker.counters.reject(RejectReason.LINE)

    def left(self) -> None:
        """The guest closed its half, which is a goodbye."""
        self._log_entry.closing(CloseReason.LEFT)
        self._lifecycle.said_goodbye(self, Farewell.LISTENS)

    def gone(self, clean: bool) -> None:
        """Forget the guest."""
        self.stop_delivery()
        self._stop_release()
        self._chat.leave(self.member)
        self._lifecycle.gone(self, clean=clean)

    def displaced(self) -> bool:
        """Go, as the caller speaks another dialect; not where goodbye was said already."""
        usable = not self.is_closing
        self.retire()
        self._lifecycle.displaced(self)
        self.gone(True)
        return usable

    # what the house calls

    def send_notice(self, lines: list[str]) -> bool:
        """Show lines about the house itself; return False where too much waits already."""
        return self._show(plain_notices(lines)[:-1])

    def send_history(self, batches: list[MessageBatch]) -> bool:
        """Show history, with its time in brackets; return False if too much waits already."""
        return self._show("\n".join(self._past(batches)).encode())

    def on_stored(self, last: int) -> None:
        """Read on, if that waited for the disk."""
        self._pauses.end(PauseReason.STORE)

    def on_not_stored(self, why: str) -> None:
        """Tell the guest, who has no other copy that is sent again."""
        self.notice(f"message not sent: {why}. Try again later.")
        self._pauses.end(PauseReason.STORE)

    def disconnect(self, why: str) -> None:
        """Tell ``why``, unless that is clear, and close."""
        if not self.is_closing:
            self._lifecycle.closing(self)
            self._close(why)

    def give_up(self) -> None:
        """Close the connection to a guest who can't be understood."""
        if not self.is_closing:
            self._close("")

    def _close(self, why: str) -> None:
        self._log_entry.closes(why)
        if not self.is_ready:
            self._send_what_is_left()
        if why:
            self.notice(why)
        self.finish_delivery()
        self.hear_no_more()
        self._pauses.forget()  # so that the guest's own goodbye is seen
        self._chat.leave(self.member)
        self.part(_GOODBYE_WITHIN, _GOODBYE_WITHIN)

    # what the operator of a direct conversation calls

    def is_over(self) -> None:
        """The guest listens no more: take no notice of what it still sends."""
        self.hear_no_more()
        self._log_entry.closing(CloseReason.LEFT)

    def say_last_words(self, within: float) -> None:
        """Close our half, and hear what the guest still says, for so many seconds at most."""
        self.finish_delivery()
        self.part(within, None)

    def take_leave(self, bye: ServerBye, within: float) -> None:
        """Close our half, and the rest within so many seconds; at once where our half is closed already."""
        self.finish_delivery()
        self._pauses.forget()
        if self._graceful_close.begun:
            self._graceful_close.close()
        else:
            self.part(within, within)

    # what the house calls

    @property
    def idle_seconds(self) -> float:
        """For how many seconds nothing was heard."""
        return self.clock.seconds() - self._heard_at

    def on_room_changed(self) -> None:
        """Go on in another room."""
        self.cursor = self.member.room.log.last
        self._greet(self._chat.room_greeting(self.member))

    # what the flow calls

    def send_skipped(self, lines: int, upto: int) -> None:
        """Tell that so many lines were forgotten, where the guest can tell a notice from what was said."""
        if self._policy.plain_text is PlainText.SIGNED:
            self.notice(gone(lines))

    def caught_up(self) -> None:
        """Tell the lifecycle."""
        self._lifecycle.caught_up(self)

    def send_throttled(self, rate: int) -> None:
        """Tell that lines are taken more slowly."""
        self.notice(slowed_down(rate))

    def on_sent(self) -> None:
        """Remember when."""
        self.wrote_now()

    def on_send_timeout(self) -> None:
        """End a connection that takes nothing, unless its author waits for it: it may be a person's."""
        if self._policy.back_pressure is BackPressure.LOG:
            super().on_send_timeout()

    can_share_buffer = PlainReceiver.ends_lines  # it is looked at for each delivery

    def send_alone(self, rendering: Rendering) -> bool:
        """Send lines of one author, in the way that a peer without ends of lines reads."""
        if self.ends_lines:
            return super().send_alone(rendering)
        self.write_lines(rendering.data[:-1])
        return True

    def send_presence(self, lines: list[str]) -> None:
        """Tell what is new about who is here."""
        self.write_lines(plain_notices(lines)[:-1])

    def _send_what_is_left(self) -> None:
        for batch in self.remaining_page():
            self.write_lines(self.dialect.render([], [batch], 0).data[:-1])
            self._broker.counters.lines_sent += batch.lines

    def _obey(self, block: bytes) -> None:
        self._log_entry.lines += block.count(LF) + 1
        for event in SERVER.parse(block):
            match event:
                case PlainMessage(text):
                    self._chat.post(self.member, text)
                case Command(line):
                    self.send_notice(self._chat.run_command(self.member, line))
                    self._log_entry.nick_changed(self.member.name)
                case Goodbye():
                    self._lifecycle.said_goodbye(self, Farewell.LISTENS_NO_MORE)
            if not self.has_listener:
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
        if held is not None and self.has_listener:
            self.heard(held)
        if self._held is None and not self.is_closing:
            self._pauses.end(PauseReason.RATE)

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
        now, name = self._broker.wall(), self._policy.client_name
        with suppress(ValueError):  # the operator may be called so
            return self._chat.join(self, now, name)
        return self._chat.join(self, now)

    def _greet(self, greeting: list[str]) -> None:
        """Show the greeting and the history, or the greeting alone if there is no room for both."""
        roster = self._chat.member_list(self.member)
        lines = [*map(notice, greeting), *self._history(), notice(roster)]
        if not self._show("\n".join(lines).encode()):
            self.send_notice([*greeting, roster])

    def _history(self) -> list[str]:
        if not self.has_room:
            return []
        try:
            return list(self._past(self._chat.history(self.member)))
        except StorageError as unreadable:
            self._chat.flush_scheduler.report_read_error(unreadable)
            return [notice(READING_FAILS)]

    def _past(self, batches: list[MessageBatch]) -> Iterator[str]:
        for batch in batches:
            when = f"[{self._chat.clock(batch.at)}] "
            yield when + signed_lines(batch.author, batch.kind, batch.text).replace("\n", f"\n{when}")
