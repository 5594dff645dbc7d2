"""Whatever becomes of connections and of storing: every line is stored once, and shown once to all others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from techboy.chat.messages import Message
from techboy.chat.rate_limit import TokenBucket
from techboy.client import outbox
from techboy.client.conversation import Conversation
from techboy.client.handshake import ClientHandshake
from techboy.client.native import SAY_AGAIN, NativeClientProtocol
from techboy.client.outbox import Outbox
from techboy.client.session import ClientSession, MemorySessionStore
from techboy.server import broker
from techboy.server.native import NativeServerProtocol
from techboy.server.native_input import ConnectionLimits
from techboy.server.send_timeouts import SEND_TIMEOUT
from techboy.storage.interface import MessageBatch
from techboy.terminal.interface import InputSource
from techboy.wire.frames import Hello
from tests.native import DEAD, PING, HeldCommitter, NativeVerona
from tests.transports import ANY, FakeTransport, SocketTransport

AUTHORS = 3
MAX_LINE = 60
TOO_LONG = "x" * (MAX_LINE + 1)


@pytest.fixture(scope="module", autouse=True)
def small_pages() -> Iterator[None]:
    """Let pages and frames be small, so that there are many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broker, "PAGE_SIZE", 40)
        patch.setattr(outbox.Outbox.take, "__defaults__", (30,))
        yield


@dataclass(frozen=True)
class Says:
    """An author says so many lines at once; one of them too long where ``refused`` is among them."""

    author: int
    lines: int
    refused: int


@dataclass(frozen=True)
class Up:
    """The next ``size`` bytes of what an author's end wrote arrive at the host's."""

    author: int
    size: int


@dataclass(frozen=True)
class Down:
    """The next ``size`` bytes of what was sent to an author arrive."""

    author: int
    size: int


@dataclass(frozen=True)
class Takes:
    """The kernel has room for ``size`` bytes more to an author."""

    author: int
    size: int


@dataclass(frozen=True)
class Calls:
    """An author without a connection gets one."""

    author: int


@dataclass(frozen=True)
class Breaks:
    """A connection breaks for the author's end, for the host's, or both; what is on its way there is lost."""

    author: int
    here: bool
    there: bool


@dataclass(frozen=True)
class Straggles:
    """The host gets ``size`` bytes more of a connection that its caller gave up."""

    size: int


@dataclass(frozen=True)
class Passes:
    """Seconds pass."""

    seconds: float


@dataclass(frozen=True)
class Stores:
    """What was given to be stored first is, or can't be."""

    well: bool


class Link:
    """A connection, both its ends, and the bytes on their way."""

    def __init__(self, author: Author, verona: NativeVerona) -> None:
        self.verona = verona
        caller = author.handler()
        guest = NativeServerProtocol(
            verona.session_manager, verona.broker, TokenBucket(0, 0), ConnectionLimits(MAX_LINE, PING, DEAD)
        )
        self.here, self.there = FakeTransport(caller), SocketTransport(guest)
        self.here_open = self.there_open = True
        self._seen = 0
        self._watch(self.here, "here_open")
        self._watch(self.there, "there_open")
        guest.makeConnection(self.there)
        caller.makeConnection(self.here)

    def _watch(self, transport: FakeTransport, end: str) -> None:
        lost = transport.lost

        def told(reason: Exception) -> None:
            setattr(self, end, False)
            lost(reason)

        pytest.MonkeyPatch().setattr(transport, "lost", told)  # which ends with the test

    def up(self, size: int = ANY) -> bool:
        """Bring bytes to the host; return whether there were any."""
        data = self.here.written[:size]
        if not (data and self.there_open and self.there.reading):
            return False
        self.here.written = self.here.written[size:]
        self.there.receive(data)
        return True

    def down(self, size: int = ANY) -> bool:
        """Bring bytes to the caller; return whether there were any."""
        if self.there_open:
            self.there.drain()
        data = self.there.sent[self._seen :][:size]
        if not (data and self.here_open and self.here.reading):
            return False
        self._seen += len(data)
        self.here.receive(data)
        return True

    def break_here(self) -> None:
        if self.here_open:
            self.here.breaks()

    def break_there(self) -> None:
        if self.there_open:
            self.there.breaks()


class Author:
    """Juliet: a conversation with a person, who remembers what was shown."""

    def __init__(self, number: int, verona: NativeVerona) -> None:
        self.name, self._verona = f"author{number}", verona
        self.lines: list[tuple[int, str]] = []
        self.said: list[str] = []
        self.refusals = 0
        self.outbox, self.client_session = Outbox(), ClientSession(MemorySessionStore())
        self.conversation = Conversation(self, self, InputSource.PERSON, self.outbox, patient=True)
        self.conversation.start()
        self.link: Link | None = None

    @property
    def connected(self) -> bool:
        return self.link is not None and self.link.here_open

    def call(self) -> None:
        if not self.connected:
            self.link = Link(self, self._verona)

    def say(self, lines: int, refused: int) -> None:
        texts = [f"{self.name}:{len(self.said) + number}" for number in range(lines)]
        self.said += texts
        if refused <= lines:
            texts.insert(refused, TOO_LONG)
        self.conversation.said("\n".join(texts))

    def handler(self) -> ClientHandshake:
        known, received = self.client_session.known, self.client_session.received
        seen = None if known.session is None else received
        hello = Hello(self.name, known.session, known.log, known.room, seen)
        return ClientHandshake(self, hello, self._verona.clock, DEAD, may_be_plain=False)

    # what the greeting and its door call

    wants_connection = True

    def native_protocol(self) -> NativeClientProtocol:
        return NativeClientProtocol(
            self.conversation,
            self,
            self.outbox,
            self.client_session,
            self._verona.clock,
            PING,
            DEAD,
            self.name,
        )

    def plain_protocol(self) -> NativeClientProtocol:
        raise AssertionError("the host speaks the native dialect")

    def unanswered(self) -> None:
        """It calls again when the test says so."""

    heard = returning = unanswered

    def refused(self, why: str) -> None:
        raise AssertionError(why)

    busy = not_kept = refused

    # what the conversation calls

    def show_lines(self, author: str, text: str) -> None:
        raise AssertionError("the host speaks the native dialect")

    show_prefixed_lines = show_lines

    def show_message(self, words: Message) -> None:
        for number, line in enumerate(words.text.split("\n")):
            self.lines.append((words.first + number, line))
        self.conversation.output_written()

    def show_rejection(self, text: str) -> None:
        self.refusals += 1

    def show_status(self, text: str) -> None:
        """States are no lines."""

    def waiting(self, again: bool) -> None:
        """It calls again when the test says so."""

    def shown(self) -> None:
        self.client_session.shown()

    def over(self, whole: bool) -> None:
        raise AssertionError("nobody said goodbye")

    show_prompt = hide_prompt = pause = resume = hurry = enable_author_names = lambda self: None
    show_sent = set_pending_lines = set_nick = lambda self, *what: None


class Story:
    """Authors, and the host whose disk is slow and fails."""

    def __init__(self) -> None:
        self.executor = HeldCommitter()
        self.verona = NativeVerona(executor=self.executor, history=1000)
        self.authors = [Author(number, self.verona) for number in range(AUTHORS)]
        self.left: list[Link] = []

    def begin(self) -> None:
        """Let all come in; from now on the disk waits for the test."""
        self.executor.prompt = True
        for author in self.authors:
            self.call(author)
        self.settle()
        self.executor.prompt = False

    def play(self, steps: list[object]) -> None:
        for step in steps:
            self.step(step)

    def step(self, step: object) -> None:
        match step:
            case Says(author, lines, refused):
                self.authors[author].say(lines, refused)
            case Calls(author):
                self.call(self.authors[author])
            case Up(author, size) if (link := self.authors[author].link) is not None:
                link.up(size)
            case Down(author, size) if (link := self.authors[author].link) is not None:
                link.down(size)
            case Takes(author, size) if (link := self.authors[author].link) is not None and link.there_open:
                link.there.room = 0 if link.there.room == ANY else link.there.room
                link.there.make_room(size)
            case Breaks(author, here, there) if (link := self.authors[author].link) is not None:
                if here:
                    link.break_here()
                if there:
                    link.break_there()
            case Straggles(size) if self.left:
                link = self.left.pop(0)
                if link.up(size):
                    self.left.append(link)
                else:
                    link.break_there()
            case Passes(seconds):
                self.verona.clock.advance(seconds)
            case Stores(well) if self.executor.waiting:
                if well:
                    self.executor.answer()
                else:
                    self.executor.refuse()

    def call(self, author: Author) -> None:
        if not author.connected:
            if author.link is not None:
                self.left.append(author.link)
            author.call()

    def finish(self) -> None:
        """Let everything work from now on."""
        self.executor.answer_all()
        for author in self.authors:
            if author.link is not None:
                author.link.break_here()
            self.call(author)
        self.settle()
        self.verona.clock.advance(SAY_AGAIN)
        self.settle()

    def settle(self) -> None:
        """Let turns pass, and bring what is sent, until there is nothing more."""
        moved = True
        while moved:
            for _ in range(3):
                self.verona.clock.advance(0)
            moved = False
            for author in self.authors:
                assert author.link is not None
                if author.link.there_open:
                    author.link.there.room = ANY
                moved |= author.link.up()
                moved |= author.link.down()

    @property
    def stored(self) -> list[MessageBatch]:
        return self.verona.chat.lobby.log.read(0, ANY)


WHO = st.integers(0, AUTHORS - 1)
SIZE = st.one_of(st.integers(1, 80), st.just(ANY))
STEP = st.one_of(
    st.builds(Says, WHO, st.integers(1, 4), st.integers(0, 8)),
    st.builds(Up, WHO, SIZE),
    st.builds(Down, WHO, SIZE),
    st.builds(Takes, WHO, st.integers(0, 80)),
    st.builds(Calls, WHO),
    st.builds(Breaks, WHO, st.booleans(), st.booleans()),
    st.builds(Straggles, SIZE),
    st.builds(Passes, st.sampled_from([0.0, 0.0, 0.0, 0.25, SAY_AGAIN, SEND_TIMEOUT, DEAD])),
    st.builds(Stores, st.sampled_from([True, True, False])),
)


AFTER_TOO_LONG = [Says(0, 2, 1), Up(0, ANY)]


class ExactlyOnceTests:
    """Both ends together, over connections that break anywhere."""

    @example(AFTER_TOO_LONG, True)
    @given(st.lists(STEP, max_size=60), st.booleans())
    def test_any(self, steps: list[object], begun: bool) -> None:
        """[P9] In the end all that was said is stored once, in its author's order, and shown once to all."""
        story = Story()
        if begun:
            story.begin()
        story.play(steps)
        story.finish()
        check(story)


def check(story: Story) -> None:
    """Check what is promised."""
    lines = [line for batch in story.stored for line in batch.text.split("\n")]
    for author in story.authors:
        mine = f"{author.name}:"
        assert [line for line in lines if line.startswith(mine)] == author.said
        assert not author.outbox.lines
        others = [(number, line) for number, line in enumerate(lines, 1) if not line.startswith(mine)]
        assert author.lines == others
