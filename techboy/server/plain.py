"""The server's end of a plain connection."""

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
from techboy.net.rendering import BARE, PLAIN, Rendering, plain_notices, skipped_notice, throttled_notice
from techboy.net.transport import IStreamTransport
from techboy.server.broker import Broker
from techboy.server.delivery import UNSTORED_LIMIT, LogConsumer
from techboy.server.lifecycle import ClientLifecycle, Farewell
from techboy.storage.interface import MessageBatch, StorageError
from techboy.wire.frames import ServerBye
from techboy.wire.lines import LF
from techboy.wire.plain import SERVER, Command, Goodbye, PlainMessage, notice, signed_lines

_GOODBYE_TIMEOUT = 1.0  # seconds for the client to close its half after ours
_RELEASED_TOGETHER = 20  # lines, so that a flood is not posted line by line


class PlainServerProtocol(LogConsumer, PlainReceiver):
    """A client's plain connection: a `MemberConnection`, and a `DirectClient` of the ``lifecycle``."""

    transport: IStreamTransport  # which both bases have
    member: Member
    _held: bytes | None = None  # lines that the rate limit does not allow yet
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
        self.renderer = BARE if self._policy.plain_text is PlainText.BARE else PLAIN
        self._chat, self._broker, self._bucket = chat, broker, bucket
        self._last_received = broker.clock.seconds()
        self._pauses = ReadPauser(self.pauseProducing, self.resumeProducing)

    # called by `PlainReceiver`

    def on_connected(self) -> None:
        """Join as a member, and send the greeting and the history."""
        self.member = self._enter()
        self.offset = self._lifecycle.first_offset(self.member.room)
        self.start_delivery()
        is_one_of_many = self._policy.rooms is Rooms.MANY
        self._log_entry.joined(self.member.name, self.member.room.name if is_one_of_many else None)
        if self._policy.presence is Presence.ANNOUNCED:
            self._greet(self._chat.welcome_lines(self.member))
        self._lifecycle.on_joined(self)
        self.catch_up()

    def on_lines(self, block: bytes) -> None:
        """Handle the lines of ``block``, as fast as the rate limit allows."""
        self._last_received = self.clock.seconds()
        allowed = block if self._bucket.unlimited else self._allowed(block)
        if allowed is not None:
            self._handle(allowed)
            if self.member.pending_chars > UNSTORED_LIMIT:
                self._pauses.begin(PauseReason.STORE)

    def on_line_too_long(self) -> None:
        """Count the discarded line."""
        self._broker.counters.reject(RejectReason.LINE)

    def on_peer_closed(self) -> None:
        """Answer: closing its half is the client's goodbye."""
        self._log_entry.closing(CloseReason.PEER_CLOSED)
        self._lifecycle.on_goodbye(self, Farewell.READS_ON)

    def on_closed(self, clean: bool) -> None:
        """Remove the member."""
        self.stop_delivery()
        self._stop_release()
        self._chat.leave(self.member)
        self._lifecycle.on_closed(self, clean=clean)

    def displaced(self) -> bool:
        """Leave, and release the connection; return whether no goodbye was sent yet."""
        usable = not self.is_closing
        self.release_transport()
        self._lifecycle.on_displaced(self)
        self.on_closed(True)
        return usable

    # called by the room

    def send_notice(self, lines: list[str]) -> bool:
        """Send ``lines`` as notices; return False if there is no room for them."""
        return self._show(plain_notices(lines)[:-1])

    def send_history(self, batches: list[MessageBatch]) -> bool:
        """Send history, with the time in brackets; return False if there is no room for it."""
        return self._show("\n".join(self._dated(batches)).encode())

    def on_stored(self, last: int) -> None:
        """Resume reading if it was paused for the storage."""
        self._pauses.end(PauseReason.STORE)

    def on_not_stored(self, why: str) -> None:
        """Send a notice: a plain client does not send its messages again."""
        self.notice(f"message not sent: {why}. Try again later.")
        self._pauses.end(PauseReason.STORE)

    def disconnect(self, why: str) -> None:
        """Send the reason ``why``, if it is not empty, and close."""
        if not self.is_closing:
            self._lifecycle.on_closing(self)
            self._close(why)

    def give_up(self) -> None:
        """Close the connection: the client sends no line ends."""
        if not self.is_closing:
            self._close("")

    def _close(self, why: str) -> None:
        self._log_entry.closes(why)
        if not self.is_ready:
            self._send_remaining_page()
        if why:
            self.notice(why)
        self.finish_delivery()
        self.ignore_input()
        self._pauses.clear()  # so that the client's own goodbye is read
        self._chat.leave(self.member)
        self.part(_GOODBYE_TIMEOUT, _GOODBYE_TIMEOUT)

    # called by the operator in direct mode

    def on_exit(self) -> None:
        """Ignore further input: the client sent ``exit``."""
        self.ignore_input()
        self._log_entry.closing(CloseReason.PEER_CLOSED)

    def half_close(self, within: float) -> None:
        """Close our half, and keep reading for so many seconds at most."""
        self.finish_delivery()
        self.part(within, None)

    def say_goodbye(self, bye: ServerBye, within: float) -> None:
        """Close our half, and the rest within so many seconds, or at once if our half is closed already."""
        self.finish_delivery()
        self._pauses.clear()
        if self._graceful_close.begun:
            self._graceful_close.close()
        else:
            self.part(within, within)

    # called by the room

    @property
    def idle_seconds(self) -> float:
        """The seconds since the last data from the client."""
        return self.clock.seconds() - self._last_received

    def on_room_changed(self) -> None:
        """Send the greeting and the history of the new room."""
        self.offset = self.member.room.log.last
        self._greet(self._chat.room_greeting(self.member))

    # called by `LogConsumer`

    def send_skipped(self, lines: int, upto: int) -> None:
        """Send a notice that so many lines were skipped, if the client can tell it from a message."""
        if self._policy.plain_text is PlainText.SIGNED:
            self.notice(skipped_notice(lines))

    def on_caught_up(self) -> None:
        """Notify the lifecycle."""
        self._lifecycle.on_caught_up(self)

    def send_throttled(self, rate: int) -> None:
        """Send a notice that the client is throttled."""
        self.notice(throttled_notice(rate))

    def on_sent(self) -> None:
        """Note the time of the write."""
        self.note_write()

    def on_send_timeout(self) -> None:
        """Close the connection, unless the policy pauses authors: then the client may take its time."""
        if self._policy.back_pressure is BackPressure.LOG:
            super().on_send_timeout()

    can_share_buffer = PlainReceiver.ends_lines  # an alias saves a call for each delivery

    def send_alone(self, rendering: Rendering) -> bool:
        """Send a ``rendering`` of one author's lines, without a last LF if the client uses no line ends."""
        if self.ends_lines:
            return super().send_alone(rendering)
        self.write_lines(rendering.data[:-1])
        return True

    def send_presence(self, lines: list[str]) -> None:
        """Send ``lines``, notices about members of the room."""
        self.write_lines(plain_notices(lines)[:-1])

    def _send_remaining_page(self) -> None:
        for batch in self.remaining_page():
            self.write_lines(self.renderer.render([], [batch], 0).data[:-1])
            self._broker.counters.lines_sent += batch.lines

    def _handle(self, block: bytes) -> None:
        self._log_entry.lines += block.count(LF) + 1
        for event in SERVER.parse(block):
            match event:
                case PlainMessage(text):
                    self._chat.post(self.member, text)
                case Command(line):
                    self.send_notice(self._chat.run_command(self.member, line))
                    self._log_entry.nick_changed(self.member.name)
                case Goodbye():
                    self._lifecycle.on_goodbye(self, Farewell.EXITED)
            if not self.accepts_input:
                return

    def _allowed(self, block: bytes) -> bytes | None:
        """Return the lines of ``block`` that the rate limit allows, or None, and hold the rest."""
        lines = block.count(LF) + 1
        allowed = self._bucket.take(lines, self.clock.seconds())
        if allowed < lines:
            block = self._hold(block, lines, allowed)
        return block if allowed else None

    def _hold(self, block: bytes, lines: int, allowed: int) -> bytes:
        """Return the first ``allowed`` lines of ``block``; hold the rest, and pause reading."""
        parts = block.split(LF, allowed)
        self._held = parts[-1]
        self.throttle()
        wait = self._bucket.wait(min(lines - allowed, _RELEASED_TOGETHER))
        self._release = self.clock.callLater(wait, isolated, self, self._release_held)
        return LF.join(parts[:-1])

    def _release_held(self) -> None:
        held, self._held = self._held, None
        if held is not None and self.accepts_input:
            self.on_lines(held)
        if self._held is None and not self.is_closing:
            self._pauses.end(PauseReason.RATE)

    def _stop_release(self) -> None:
        if self._release is not None and self._release.active():
            self._release.cancel()

    def _show(self, data: bytes) -> bool:
        """Send ``data``, lines joined by LF; return False if there is no room for it."""
        room = self.check_room_for(data)
        if data and room:
            self.write_lines(data)
        return room

    def _enter(self) -> Member:
        """Join with the policy's nickname for clients, or with a default one if it is taken."""
        now, name = self._broker.wall(), self._policy.client_name
        with suppress(ValueError):  # the operator may have that nickname
            return self._chat.join(self, now, name)
        return self._chat.join(self, now)

    def _greet(self, greeting: list[str]) -> None:
        """Send the greeting and the history, or only the greeting if there is no room for both."""
        roster = self._chat.member_list(self.member)
        lines = [*map(notice, greeting), *self._history(), notice(roster)]
        if not self._show("\n".join(lines).encode()):
            self.send_notice([*greeting, roster])

    def _history(self) -> list[str]:
        if not self.has_room:
            return []
        try:
            return list(self._dated(self._chat.history(self.member)))
        except StorageError as error:
            self._chat.flush_scheduler.report_read_error(error)
            return [notice(READING_FAILS)]

    def _dated(self, batches: list[MessageBatch]) -> Iterator[str]:
        for batch in batches:
            when = f"[{self._chat.clock(batch.at)}] "
            yield when + signed_lines(batch.author, batch.kind, batch.text).replace("\n", f"\n{when}")
