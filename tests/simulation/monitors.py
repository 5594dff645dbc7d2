"""What a client is told, checked as the bytes arrive."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from techboy.server.native import NativeServerProtocol
from techboy.wire.frames import (
    Ack,
    ClientBye,
    ClientMessage,
    Hello,
    InvalidFrame,
    Ping,
    Pong,
    RoomChanged,
    ServerMessage,
    Skipped,
    Welcome,
)
from techboy.wire.lines import LF
from techboy.wire.native import read_client, read_server
from techboy.wire.plain import signed_lines
from tests.simulation.truth import TAG, BrokenPromiseError, Entry

if TYPE_CHECKING:
    from tests.simulation.network import Link
    from tests.simulation.truth import RoomTruth, Truth

LOBBY = "lobby"
_GONE = re.compile(r"\* ([0-9]+) lines? (?:is|are) gone")
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class LineBuffer:
    """Whole lines out of bytes that come in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def lines(self, data: bytes) -> list[bytes]:
        """Return the lines that are whole now."""
        *lines, self._rest = (self._rest + data).split(LF)
        return lines


class Monitor:
    """What passes over one link. The first line decides what is spoken, as it does for the server."""

    def __init__(self, link: Link, truth: Truth, longest: int, *, direct: bool) -> None:
        self._link, self._truth, self._longest, self._direct = link, truth, longest, direct
        self._up, self._down = LineBuffer(), LineBuffer()
        self.handler: Any = None
        """The server's protocol on this link, once it was accepted."""
        self.from_client = False
        """Whether one of our own clients called."""
        self.hello: Hello | None = None
        self.welcome: Welcome | None = None
        self.said_goodbye = False
        self.frames = 0
        self._key, self._offset = LOBBY, 0
        self._said: dict[int, str] = {}
        self._left_out: set[int] = set()
        self._plain_offsets: dict[tuple[str, str], int] = {}
        self._plain_room: tuple[str, str] | None = None
        self._gone = self._bare = 0
        link.up.tap, link.down.tap = self._sent, self._received

    def look(self) -> None:
        """Remember whom the member ignores; to be called often enough to miss nothing."""
        member = getattr(self._guest, "member", None)
        if member is not None:
            self._left_out |= member.ignoring | {member.number}
            if self.from_client and member.session is None:
                self._truth.fragmented.add(member.number)

    def check_complete(self) -> None:
        """Raise BrokenPromiseError if a line is stored that the client was not told of, all being quiet."""
        if self._plain_room is not None and self.hello is None:
            room, offset = self._truth.room(*self._plain_room), self._plain_offsets[self._plain_room]
        elif (
            self.welcome is not None
            and self.hello is not None
            and self.hello.subscribe
            and not self.said_goodbye
        ):
            room, offset = self._room, self._offset
        else:
            return
        for number in range(offset + 1, (room.last or 0) + 1):
            self._may_skip(room, number)

    # the client's side

    def _sent(self, data: bytes) -> None:
        for line in self._up.lines(data):
            frame = read_client(line)
            if self.hello is None:
                if isinstance(frame, Hello):
                    self.hello = frame
            elif isinstance(frame, ClientMessage):
                self._said.update(enumerate(frame.text.split("\n"), frame.seq))
            elif isinstance(frame, ClientBye):
                self.said_goodbye = True

    # the server's side

    def _received(self, data: bytes) -> None:
        self.look()
        for line in self._down.lines(data):
            if line.startswith(b"{"):
                self._frame(read_server(line))
            else:
                self._line(line.decode())

    @property
    def _guest(self) -> Any:
        return None if self.handler is None else self.handler.handler

    @property
    def _is_only_client(self) -> bool:
        """Whether this is the client in direct mode, to which the room has no name."""
        return self.welcome is not None and self.welcome.room is None

    @property
    def _room(self) -> RoomTruth:
        assert self.welcome is not None
        return self._truth.room(self.welcome.log_epoch, self._key)

    def _frame(self, frame: Any) -> None:
        if not isinstance(frame, Ping | Pong):
            self.frames += 1
        match frame:
            case InvalidFrame():
                raise BrokenPromiseError(f"the server sent a frame that cannot be read: {frame}")
            case Welcome():
                self._welcomed(frame)
            case ServerMessage():
                self._message(frame)
            case Skipped():
                self._skipped(frame)
            case RoomChanged(room, after_id, last_id):
                if after_id > last_id:
                    raise BrokenPromiseError(f"moved to after {after_id} of {last_id}")
                self._key, self._offset = room, after_id
            case Ack(next_seq, _):
                self._stored(next_seq)

    def _welcomed(self, welcome: Welcome) -> None:
        hello = self.hello
        if self.welcome is not None or hello is None:
            raise BrokenPromiseError("a second welcome, or one without a hello")
        self.welcome, self._key, self._offset = welcome, welcome.room or LOBBY, welcome.after_id
        if welcome.after_id > welcome.last_id:
            raise BrokenPromiseError(f"welcome after {welcome.after_id} of {welcome.last_id}")
        same = (
            hello.session == welcome.session
            and hello.log_epoch == welcome.log_epoch
            and hello.room == welcome.room
        )
        since = self._guest.member.since if self._is_only_client else 0
        if same and hello.last_seen_id is not None and welcome.after_id > max(hello.last_seen_id, since):
            raise BrokenPromiseError(f"welcome after {welcome.after_id}, seen was {hello.last_seen_id}")

    def _message(self, message: ServerMessage) -> None:
        room = self._room
        if message.id <= self._offset:
            raise BrokenPromiseError(f"id {message.id} was delivered when {self._offset} was")
        for number in range(self._offset + 1, message.id):
            self._may_skip(room, number)
        for number, text in enumerate(message.text.split("\n"), message.id):
            entry = room.entries.get(number)
            if entry is None:
                raise BrokenPromiseError(f"id {number} was delivered before it was stored")
            if (entry.author, entry.kind, entry.text) != (message.author, message.kind, text):
                raise BrokenPromiseError(f"{entry} was delivered as {message.author}: {text}")
            if self._is_only_client and entry.author != "romeo":
                raise BrokenPromiseError(f"{entry} was delivered to another client")
            if isinstance(self._guest, NativeServerProtocol) and entry.number == self._guest.member.number:
                raise BrokenPromiseError(f"{entry} was delivered to its author")
        self._offset = message.last_id

    def _skipped(self, skipped: Skipped) -> None:
        if skipped.through_id <= self._offset or skipped.count > skipped.through_id - self._offset:
            raise BrokenPromiseError(f"{skipped} when {self._offset} was delivered")
        for number in range(self._offset + 1, skipped.through_id - skipped.count + 1):
            self._may_skip(self._room, number)
        self._offset = skipped.through_id

    def _may_skip(self, room: RoomTruth, number: int) -> None:
        entry = room.entries.get(number)
        if entry is None or entry.number not in self._left_out | self._truth.fragmented:
            raise BrokenPromiseError(f"{self._key}: {entry or number} was skipped")

    def _stored(self, before: int) -> None:
        assert self.welcome is not None
        for seq in [seq for seq in self._said if seq < before]:
            text = self._said.pop(seq)
            found = TAG.search(text)
            if found is None or len(text.encode()) > self._longest:
                continue
            places = self._truth.places((found[1], int(found[2])))
            if not any(place[0] == self.welcome.log_epoch for place in places):
                raise BrokenPromiseError(f"{text} was acknowledged and is not stored")

    # plain lines

    def _line(self, line: str) -> None:
        if _UNSAFE.search(line):
            raise BrokenPromiseError(f"unsafe characters were sent: {line!r}")
        if self.from_client:
            return  # one that is taken for a client that ends no lines is sent lines without an end, too
        found = TAG.search(line)
        gone = _GONE.fullmatch(line)
        if gone:
            self._gone += int(gone[1])
        elif line.startswith("* welcome to "):
            self._plain_room, self._gone = None, 0
        elif found is None:
            is_fragment = line.rpartition("] ")[2] in self._truth.fragments
            if not (line.startswith("*") or is_fragment or self._direct):
                raise BrokenPromiseError(f"neither a notice nor what somebody said: {line!r}")
        elif line.startswith("["):
            return
        elif self._direct:
            self._bare_line(line, int(found[2]))
        else:
            self._plain_line(line, (found[1], int(found[2])))

    def _bare_line(self, line: str, number: int) -> None:
        """Check that the only client is sent what the operator said, in order."""
        if not line.startswith(("r1:", "* ", "** ", "o1:")):
            raise BrokenPromiseError(f"{line!r} was sent to the only client, and is not the operator's")
        if line.startswith("r1:"):
            if number <= self._bare:
                raise BrokenPromiseError(f"{line!r} was sent after line {self._bare}")
            self._bare = number

    def _plain_line(self, line: str, tag: tuple[str, int]) -> None:
        for log_id, key, number in reversed(self._truth.places(tag)):
            entry = self._truth.room(log_id, key).entries[number]
            if signed_lines(entry.author, entry.kind, entry.text) == line:
                self._plain_entry((log_id, key), entry)
                return
        raise BrokenPromiseError(f"{line!r} was shown, and is not stored like that")

    def _plain_entry(self, place: tuple[str, str], entry: Entry) -> None:
        offset = self._plain_offsets.get(place)
        if offset is not None and self._plain_room == place:
            if entry.id <= offset:
                raise BrokenPromiseError(f"{entry} was shown when {offset} was")
            skipped = range(offset + 1, entry.id)
            room = self._truth.room(*place)
            for number in skipped[self._gone :] if self._gone else skipped:
                self._may_skip(room, number)
        self._plain_offsets[place], self._plain_room, self._gone = entry.id, place, 0
