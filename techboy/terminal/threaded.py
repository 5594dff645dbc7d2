"""Standard input and output as a transport where nothing tells when a descriptor is ready.

A thread reads and another one writes. Python reads and writes a Windows console as UTF-8 by way of
`open`, whatever its code page, and takes Ctrl-Z at the beginning of a line for the end of input.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from enum import Enum, auto
from threading import Semaphore, Thread
from typing import Protocol, cast

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPullProducer, ITransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from techboy.background_writer import BoundedWriter, Call
from techboy.terminal.handles import is_console, wait_for_key
from techboy.terminal.streams import raw, write_all

CHUNK = 64 * 1024
"""Bytes read at once, and written together, at most."""

PIECE = 8 * 1024
"""Bytes written at a time: more than one such piece is not written after the stream was let go of."""


class Reactor(Protocol):
    """What is asked of the reactor."""

    @property
    def callFromThread(self) -> Call: ...
    @property
    def callLater(self) -> Callable[..., object]: ...


class StreamProtocol(Protocol):
    """The protocol of the transport; it is half-close aware."""

    def makeConnection(self, transport: ITransport) -> None: ...
    def dataReceived(self, data: bytes) -> None: ...
    def readConnectionLost(self) -> None: ...
    def writeConnectionLost(self) -> None: ...
    def connectionLost(self, reason: Failure) -> None: ...


class Link(Enum):
    """What still joins a protocol to its descriptors."""

    OPEN = auto()
    UNSEEN = auto()  # nobody reads what is written; nothing more is, and the input is still read
    CLOSING = auto()  # nothing is read any more, and what is left is written
    CLOSED = auto()


class ThreadedStdio:
    """Connects ``protocol`` to both descriptors; it is to be used like Twisted's StandardIO.

    Without ``stdin`` nothing is ever read, and nothing ends. One chunk is read ahead at most, and that is
    delivered when the protocol goes on after a pause. How much waits to be written is for the protocol to
    limit, by its pull producer. That nobody reads any more is noticed when something is written.
    """

    _log = Logger()

    def __init__(self, protocol: StreamProtocol, stdin: int | None, stdout: int, reactor: Reactor) -> None:
        self._link, self._protocol = Link.OPEN, protocol
        self._producer: IPullProducer | None = None
        self._input = (
            None if stdin is None else ThreadedInput(stdin, reactor, self._received, self._input_ended)
        )
        self._output = ThreadedOutput(stdout, reactor, self._all_written, self._nobody_reads)
        protocol.makeConnection(cast(ITransport, self))  # as far as it is used
        if self._input is not None:
            self._input.resume()

    # what the protocol calls

    @property
    def disconnecting(self) -> bool:
        """Whether it was told to lose the connection."""
        return self._link in (Link.CLOSING, Link.CLOSED)

    def write(self, data: bytes) -> None:
        """Write ``data`` soon."""
        if self._link in (Link.OPEN, Link.CLOSING):
            self._output.write(data)

    def registerProducer(self, producer: IPullProducer, streaming: bool) -> None:
        """Ask ``producer`` for more now, and each time when all is written."""
        assert not streaming
        self._producer = producer
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Ask nobody for more."""
        self._producer = None

    def pauseProducing(self) -> None:
        """Deliver nothing until `resumeProducing`."""
        if self._input is not None:
            self._input.pause()

    def resumeProducing(self) -> None:
        """Deliver what is read."""
        if self._input is not None:
            self._input.resume()

    def loseConnection(self) -> None:
        """Read nothing any more, write what is left, then let go of both."""
        self._stop_reading()
        if self._link in (Link.OPEN, Link.UNSEEN):
            self._link = Link.CLOSING
            self._output.tell_when_written()

    def connectionLost(self, reason: Failure) -> None:
        """Let go of both at once, whatever is not written."""
        if self._link is Link.CLOSED:
            return
        self._link = Link.CLOSED
        self._stop_reading()
        self._output.abandon()
        self._protocol.connectionLost(reason)

    # what the threads tell, in that of the reactor

    def _received(self, data: bytes) -> None:
        self._tell(lambda: self._protocol.dataReceived(data))

    def _input_ended(self) -> None:
        self._tell(self._protocol.readConnectionLost)

    def _all_written(self) -> None:
        if self._link is Link.CLOSING:
            self.connectionLost(Failure(ConnectionDone()))
        elif self._link is Link.OPEN and self._producer is not None:
            self._tell(self._producer.resumeProducing)

    def _nobody_reads(self) -> None:
        if self._link is Link.CLOSING:
            self.connectionLost(Failure(ConnectionDone()))
        elif self._link is Link.OPEN:
            self._link = Link.UNSEEN
            self._tell(self._protocol.writeConnectionLost)

    def _tell(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception:
            failure = Failure()
            self._log.failure("standard input or output failed", failure, event="stdio_failed")
            self.connectionLost(failure)

    def _stop_reading(self) -> None:
        if self._input is not None:
            self._input.stop()


class Reading(Enum):
    """What becomes of the next chunk."""

    IDLE = auto()  # it is not read yet
    UNDER_WAY = auto()  # it is being read
    ARRIVED = auto()  # it was read, and is not delivered yet
    OVER = auto()  # there is none: the input has ended, or is not read any more


class ThreadedInput:
    """Reads ``descriptor`` in a daemon thread, from `resume` on, a chunk at a time.

    ``received`` and ``ended`` are called in the thread of the reactor. The next chunk is read when the last
    was delivered, and not while it is paused; a read that has begun can't be stopped, and at the end keeps
    nobody from ending.
    """

    def __init__(
        self,
        descriptor: int,
        reactor: Reactor,
        received: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:
        self._reactor, self._received, self._ended = reactor, received, ended
        self._stream = raw(descriptor, "rb")
        # a line that is typed stands where reading it began: before a key is pressed, something may be shown
        self._wait = wait_for_key if is_console(descriptor) else _nothing
        self._wanted = Semaphore(0)
        self._reading, self._chunk, self._paused = Reading.IDLE, b"", True
        self._thread = Thread(target=self._run, name="techboy-input", daemon=True)

    def pause(self) -> None:
        """Deliver nothing."""
        self._paused = True

    def resume(self) -> None:
        """Deliver what is read, but nothing before this returns."""
        self._paused = False
        if self._reading is Reading.ARRIVED:
            self._reactor.callLater(0, self._deliver)
        else:
            self._read_on()

    def stop(self) -> None:
        """Deliver nothing any more."""
        self._reading = Reading.OVER
        self._wanted.release()

    def _read_on(self) -> None:
        if self._paused or self._reading is not Reading.IDLE:
            return
        self._reading = Reading.UNDER_WAY
        if not self._thread.is_alive():
            self._thread.start()
        self._wanted.release()

    def _arrived(self, chunk: bytes) -> None:
        if self._reading is Reading.UNDER_WAY:
            self._reading, self._chunk = Reading.ARRIVED, chunk
            self._deliver()

    def _deliver(self) -> None:
        if self._paused or self._reading is not Reading.ARRIVED:
            return
        chunk, self._chunk = self._chunk, b""
        if chunk:
            self._reading = Reading.IDLE
            self._received(chunk)
            self._read_on()
        else:
            self._reading = Reading.OVER
            self._ended()

    # in the thread

    def _run(self) -> None:
        chunk = b"-"
        while chunk:
            self._wanted.acquire()
            if self._reading is Reading.OVER:
                return
            chunk = self._read()
            self._reactor.callFromThread(_calling(self._arrived, chunk))

    def _read(self) -> bytes:
        try:
            self._wait()
            return self._stream.read(CHUNK) or b""
        except OSError:  # as where a terminal is gone
            return b""


class ThreadedOutput:
    """Writes to ``descriptor`` in a daemon thread.

    ``all_written`` and ``failed`` are called in the thread of the reactor: the first each time when nothing
    is left, the other where nobody reads any more or the disk is full.
    """

    def __init__(
        self, descriptor: int, reactor: Reactor, all_written: Callable[[], None], failed: Callable[[], None]
    ) -> None:
        self._all_written, self._failed = all_written, failed
        self._stream = raw(descriptor, "wb")
        self._abandoned = self._asked = False
        self._writer = BoundedWriter(self._write, self, limit=sys.maxsize, together=CHUNK)
        self._writer.report_by(reactor.callFromThread)

    def write(self, data: bytes) -> None:
        """Write ``data`` soon."""
        self._writer.write(data)
        self.tell_when_written()

    def tell_when_written(self) -> None:
        """Call ``all_written`` when nothing is left, later in any case."""
        if not self._asked:
            self._asked = True
            self._writer.run(_nothing, self._written)

    def abandon(self) -> None:
        """Write nothing any more, but for the piece that is being written."""
        self._abandoned = True
        self._writer.close()

    # what the writer tells

    def failed(self, why: str, count: int) -> None:
        """Not all could be written."""
        self._abandoned = True
        self._failed()

    def worked(self) -> None:
        """It is not written to any more."""

    def _written(self, error: OSError | None) -> None:
        self._asked = False
        if self._writer.waiting > 0:
            self.tell_when_written()
        else:
            self._all_written()

    # in the thread

    def _write(self, data: bytes) -> None:
        for piece in pieces(data):
            if not self._abandoned:
                write_all(self._stream, piece)


def pieces(data: bytes, size: int = PIECE) -> Iterator[bytes]:
    """Return ``data`` in pieces of ``size`` bytes at most, which tear no character of UTF-8."""
    begin = 0
    while begin < len(data):
        end = begin + size
        while end < len(data) and end > begin + size - 3 and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[begin:end]
        begin = end


def _calling(call: Callable[[bytes], None], chunk: bytes) -> Callable[[], None]:
    return lambda: call(chunk)


def _nothing() -> None:
    """All that was given to be written before is written, or there is something to read."""
