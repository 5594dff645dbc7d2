"""Clients that are not ours: people with ``nc``, and programs that speak the native protocol their way."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from techboy.storage.interface import ACTION, TEXT
from tests.simulation.monitors import LineBuffer
from tests.simulation.network import Link

if TYPE_CHECKING:
    from tests.simulation.world import World


class Peer:
    """One end of a link, by hand."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.link: Link | None = None
        self.reading = True
        self.lines = 0
        self._unsent = b""
        self._buffer = LineBuffer()

    @property
    def is_connected(self) -> bool:
        """Whether its socket is open."""
        return self.link is not None and self.link.near.open

    def call(self, port: int) -> None:
        """Connect, if the server listens."""
        self.link, self.reading, self._unsent = self.world.call(self, port), True, b""
        self._buffer = LineBuffer()
        if self.link is not None:
            self.connected()

    def connected(self) -> None:
        """The connection is there."""

    def send(self, data: bytes) -> None:
        """Send ``data`` as there is room for it."""
        self._unsent += data
        self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self.link is None or not self.link.near.open or not self._unsent:
            return
        try:
            self._unsent = self._unsent[self.link.near.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def read(self, size: int) -> None:
        """Read up to ``size`` bytes, if it reads at all."""
        if self.link is None or not self.link.near.open:
            return
        try:
            data = self.link.near.recv(size)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        for line in self._buffer.lines(data):
            self.received(line)

    def received(self, line: bytes) -> None:
        """A line has arrived."""

    def half_close(self) -> None:
        """Close the sending half."""
        if self.link is not None and not self._unsent:
            self.link.near.shutdown(1)

    def close(self) -> None:
        """Close the connection."""
        if self.link is not None:
            self.link.near.close()
        self._unsent = b""

    def tagged(self, text: str) -> str:
        """Return ``text`` as the next line of this peer."""
        self.lines += 1
        return self.world.truth.tagged(self.name, self.lines, text)


class PlainPeer(Peer):
    """Somebody with ``nc``, whose first line arrives in one piece: so it is known to end its lines."""

    def connected(self) -> None:
        """Ask who is there."""
        self.command("who")
        assert self.link is not None
        self.world.deliver(self.link, self.link.up, len(self.link.up.sent))

    def say(self, text: str) -> None:
        """Say a line."""
        self.send(f"{self.tagged(text)}\n".encode())

    def command(self, line: str) -> None:
        """Give a command."""
        self.send(f"/{line}\n".encode())


class NativePeer(Peer):
    """A program that keeps its session, and does not always behave."""

    def __init__(self, world: World, name: str, nickname: str) -> None:
        super().__init__(world, name)
        self.nickname = nickname
        self.known: dict[str, Any] = {}
        self._hears = True
        self._next = 1
        self._unstored: dict[int, tuple[str, str]] = {}
        self._welcomed = False

    def connected(self) -> None:
        """Say hello, with the session it had or without."""
        chance: random.Random = self.world.chance
        if chance.random() < 0.2:
            self.known = {}
        self._welcomed = False
        seen = self.known.get("last_seen_id")
        known = dict(self.known)
        if seen is not None and chance.random() < 0.3:
            known["last_seen_id"] = chance.randrange(seen + 1)
        extra = {"subscribe": False} if chance.random() < 0.1 else {}
        self.frame({"type": "hello", "version": 1, "name": self.nickname, **known, **extra})

    def say(self, texts: list[str]) -> None:
        """Say lines, or do something, in one frame."""
        if self._welcomed:
            text = "\n".join(map(self.tagged, texts))
            kind = self.world.chance.choice([TEXT, TEXT, ACTION])
            self._unstored[self._next] = text, kind
            self._send_message(self._next, text, kind)
            self._next += len(texts)

    def repeat(self) -> None:
        """Say once more what is not known to be stored."""
        for seq, (text, kind) in self._unstored.items() if self._welcomed else ():
            self._send_message(seq, text, kind)

    def _send_message(self, seq: int, text: str, kind: str) -> None:
        self.frame({"type": "message", "kind": kind, "seq": seq, "text": text})

    def command(self, line: str) -> None:
        """Give a command."""
        if self._welcomed:
            self.frame({"type": "command", "name": line})

    def frame(self, values: dict[str, Any]) -> None:
        """Send a frame."""
        self.send(json.dumps(values).encode() + b"\n")

    def received(self, line: bytes) -> None:
        """A frame has arrived, or a plain line from a server that was not asked natively yet."""
        if not line.startswith(b"{"):
            return
        frame = json.loads(line)
        if frame["type"] == "welcome":
            self._is_welcome(frame)
        elif frame["type"] == "ack":
            before = frame["next_seq"]
            self._unstored = {seq: said for seq, said in self._unstored.items() if seq >= before}
        elif frame["type"] == "room_changed":
            self.known |= {"room": frame["room"], "last_seen_id": frame["after_id"]}
        elif frame["type"] == "message":
            self.known["last_seen_id"] = frame["id"] + frame["text"].count("\n")
        elif frame["type"] == "skipped":
            self.known["last_seen_id"] = frame["through_id"]
        elif frame["type"] == "ping":
            self.frame({"type": "pong", "number": frame["number"]})

    def _is_welcome(self, frame: dict[str, Any]) -> None:
        self._welcomed = True
        before = self.known
        self.known = {name: frame.get(name) for name in ("session", "log_epoch", "room")}
        same = all(self.known[name] == before.get(name) for name in ("session", "log_epoch"))
        self.known["last_seen_id"] = frame["after_id"]
        next_seq = frame["next_seq"]
        self._unstored = {seq: said for seq, said in self._unstored.items() if same and seq >= next_seq}
        self._next = max(
            [next_seq, *(seq + text.count("\n") + 1 for seq, (text, _) in self._unstored.items())]
        )
        if not self._unstored:
            self._next = next_seq
        self.repeat()
