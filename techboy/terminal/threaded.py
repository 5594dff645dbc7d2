"""Standard input and output as a transport on systems that do not report when a descriptor is ready.

One thread reads and another one writes. Files opened with `open` read and write a Windows console as UTF-8,
whatever its code page; Ctrl-Z at the beginning of a line is the end of input.
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
from techboy.terminal.streams import open_raw, write_all

CHUNK = 64 * 1024
"""Bytes that are read, or written, at a time."""

PIECE = 8 * 1024
"""Bytes of one write; at most one such write completes after the stream was closed."""


class Reactor(Protocol):
    """The methods of the reactor that are used."""

    @property
    def callFromThread(self) -> Call: ...
    @property
    def callLater(self) -> Callable[..., object]: ...


class StreamProtocol(Protocol):
    """The protocol of the transport; it supports half-close."""

    def makeConnection(self, transport: ITransport) -> None: ...
    def dataReceived(self, data: bytes) -> None: ...
    def readConnectionLost(self) -> None: ...
    def writeConnectionLost(self) -> None: ...
    def connectionLost(self, reason: Failure) -> None: ...


class LinkState(Enum):
    """The state of the transport."""

    OPEN = auto()
    OUTPUT_LOST = auto()  # the output has no reader any more: nothing is written, but the input is read
    CLOSING = auto()  # nothing is read; the remaining output is written
    CLOSED = auto()


class ThreadedStdio:
    """Connects ``protocol`` to both descriptors; a replacement for Twisted's StandardIO.

    If ``stdin`` is None, nothing is read and the input does not end. At most one chunk is read ahead; it is
    delivered when the protocol resumes after a pause. The protocol has to limit its pending output, with a
    pull producer. The loss of the output's reader is noticed at the next write.
    """

    _log = Logger()

    def __init__(self, protocol: StreamProtocol, stdin: int | None, stdout: int, reactor: Reactor) -> None:
        self._state, self._protocol = LinkState.OPEN, protocol
        self._producer: IPullProducer | None = None
        self._input = (
            None if stdin is None else ThreadedInput(stdin, reactor, self._on_received, self._on_input_ended)
        )
        self._output = ThreadedOutput(stdout, reactor, self._on_all_written, self._on_write_failed)
        protocol.makeConnection(cast(ITransport, self))  # as far as it is used
        if self._input is not None:
            self._input.resume()

    # ITransport

    @property
    def disconnecting(self) -> bool:
        """Whether the transport is closing or closed."""
        return self._state in (LinkState.CLOSING, LinkState.CLOSED)

    def write(self, data: bytes) -> None:
        """Write ``data`` soon."""
        if self._state in (LinkState.OPEN, LinkState.CLOSING):
            self._output.write(data)

    def registerProducer(self, producer: IPullProducer, streaming: bool) -> None:
        """Call ``producer.resumeProducing`` now, and each time when all output is written."""
        assert not streaming
        self._producer = producer
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Remove the producer."""
        self._producer = None

    def pauseProducing(self) -> None:
        """Deliver no input until `resumeProducing`."""
        if self._input is not None:
            self._input.pause()

    def resumeProducing(self) -> None:
        """Deliver input again."""
        if self._input is not None:
            self._input.resume()

    def loseConnection(self) -> None:
        """Stop reading, write the remaining output, then close."""
        self._stop_reading()
        if self._state in (LinkState.OPEN, LinkState.OUTPUT_LOST):
            self._state = LinkState.CLOSING
            self._output.call_when_written()

    def connectionLost(self, reason: Failure) -> None:
        """Close at once, and discard the remaining output."""
        if self._state is LinkState.CLOSED:
            return
        self._state = LinkState.CLOSED
        self._stop_reading()
        self._output.abandon()
        self._protocol.connectionLost(reason)

    # called by the threads, in the reactor's thread

    def _on_received(self, data: bytes) -> None:
        self._call_protocol(lambda: self._protocol.dataReceived(data))

    def _on_input_ended(self) -> None:
        self._call_protocol(self._protocol.readConnectionLost)

    def _on_all_written(self) -> None:
        if self._state is LinkState.CLOSING:
            self.connectionLost(Failure(ConnectionDone()))
        elif self._state is LinkState.OPEN and self._producer is not None:
            self._call_protocol(self._producer.resumeProducing)

    def _on_write_failed(self) -> None:
        if self._state is LinkState.CLOSING:
            self.connectionLost(Failure(ConnectionDone()))
        elif self._state is LinkState.OPEN:
            self._state = LinkState.OUTPUT_LOST
            self._call_protocol(self._protocol.writeConnectionLost)

    def _call_protocol(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception:
            failure = Failure()
            self._log.failure("standard input or output failed", failure, event="stdio_failed")
            self.connectionLost(failure)

    def _stop_reading(self) -> None:
        if self._input is not None:
            self._input.stop()


class ReadState(Enum):
    """The state of the next chunk."""

    IDLE = auto()  # not requested yet
    READING = auto()  # being read
    RECEIVED = auto()  # read, but not delivered yet
    ENDED = auto()  # there is none: the input has ended, or was stopped


class ThreadedInput:
    """Reads ``descriptor`` in a daemon thread, from the first `resume` on, a chunk at a time.

    ``received`` and ``ended`` are called in the reactor's thread. The next chunk is read when the last one
    was delivered, and not while reading is paused. A read that has begun cannot be cancelled; it does not
    delay the end of the program.
    """

    def __init__(
        self,
        descriptor: int,
        reactor: Reactor,
        received: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:
        self._reactor, self._received, self._ended = reactor, received, ended
        self._stream = open_raw(descriptor, "rb")
        # a console echoes input at the position at which the read began, and output may come before a key
        self._wait = wait_for_key if is_console(descriptor) else _do_nothing
        self._requests = Semaphore(0)
        self._read_state, self._chunk, self._paused = ReadState.IDLE, b"", True
        self._thread = Thread(target=self._run, name="techboy-input", daemon=True)

    def pause(self) -> None:
        """Stop delivering chunks."""
        self._paused = True

    def resume(self) -> None:
        """Deliver chunks again, the first one after this returns."""
        self._paused = False
        if self._read_state is ReadState.RECEIVED:
            self._reactor.callLater(0, self._deliver)
        else:
            self._read_on()

    def stop(self) -> None:
        """Stop reading for good."""
        self._read_state = ReadState.ENDED
        self._requests.release()

    def _read_on(self) -> None:
        if self._paused or self._read_state is not ReadState.IDLE:
            return
        self._read_state = ReadState.READING
        if not self._thread.is_alive():
            self._thread.start()
        self._requests.release()

    def _chunk_read(self, chunk: bytes) -> None:
        if self._read_state is ReadState.READING:
            self._read_state, self._chunk = ReadState.RECEIVED, chunk
            self._deliver()

    def _deliver(self) -> None:
        if self._paused or self._read_state is not ReadState.RECEIVED:
            return
        chunk, self._chunk = self._chunk, b""
        if chunk:
            self._read_state = ReadState.IDLE
            self._received(chunk)
            self._read_on()
        else:
            self._read_state = ReadState.ENDED
            self._ended()

    # in the thread

    def _run(self) -> None:
        chunk = b"-"
        while chunk:
            self._requests.acquire()
            if self._read_state is ReadState.ENDED:
                return
            chunk = self._read()
            self._reactor.callFromThread(_with_chunk(self._chunk_read, chunk))

    def _read(self) -> bytes:
        try:
            self._wait()
            return self._stream.read(CHUNK) or b""
        except OSError:  # for example, the terminal is gone
            return b""


class ThreadedOutput:
    """Writes to ``descriptor`` in a daemon thread; the output is not limited in size.

    ``all_written`` and ``failed`` are called in the reactor's thread: the first each time when no output is
    pending, the other if the output has no reader any more or the disk is full.
    """

    def __init__(
        self, descriptor: int, reactor: Reactor, all_written: Callable[[], None], failed: Callable[[], None]
    ) -> None:
        self._on_all_written, self._failed = all_written, failed
        self._stream = open_raw(descriptor, "wb")
        self._abandoned = self._is_requested = False
        self._writer = BoundedWriter(self._write, self, limit=sys.maxsize, together=CHUNK)
        self._writer.report_by(reactor.callFromThread)

    def write(self, data: bytes) -> None:
        """Write ``data`` soon."""
        self._writer.write(data)
        self.call_when_written()

    def call_when_written(self) -> None:
        """Call ``all_written`` once all output is written, never before this returns."""
        if not self._is_requested:
            self._is_requested = True
            self._writer.run(_do_nothing, self._written)

    def abandon(self) -> None:
        """Discard the remaining output, except the piece that is being written."""
        self._abandoned = True
        self._writer.close()

    # called by the writer

    def failed(self, reason: str, count: int) -> None:
        """Handle a write error."""
        self._abandoned = True
        self._failed()

    def worked(self) -> None:
        """Do nothing: after an error nothing is written any more."""

    def _written(self, error: OSError | None) -> None:
        self._is_requested = False
        if self._writer.waiting > 0:
            self.call_when_written()
        else:
            self._on_all_written()

    # in the thread

    def _write(self, data: bytes) -> None:
        for piece in pieces(data):
            if not self._abandoned:
                write_all(self._stream, piece)


def pieces(data: bytes, size: int = PIECE) -> Iterator[bytes]:
    """Yield ``data`` in pieces of at most ``size`` bytes, without splitting a UTF-8 character."""
    begin = 0
    while begin < len(data):
        end = begin + size
        while end < len(data) and end > begin + size - 3 and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[begin:end]
        begin = end


def _with_chunk(call: Callable[[bytes], None], chunk: bytes) -> Callable[[], None]:
    return lambda: call(chunk)


def _do_nothing() -> None:
    """Do nothing: this marks a place in the queue of the writer, or replaces waiting for a key."""
