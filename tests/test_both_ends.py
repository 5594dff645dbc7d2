"""Romeo's and Juliet's ends of a conversation, joined in memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from techboy.chat.conversation import Conversation, Keyboard, State, Words
from techboy.chat.outbox import Outbox
from techboy.client.plain import PlainDoor
from techboy.wire.plain import CALLER, HOST, Plain
from tests.transports import FakeTransport, connected


class End:
    """One end: a conversation with a person, who remembers what was shown, and its door."""

    def __init__(self, dialect: Plain, name: str, clock: Clock) -> None:
        self.lines: list[str] = []
        self.ended: list[bool] = []
        self.conversation = Conversation(
            self, self, Keyboard.PERSON, Outbox(), hosts=dialect.obeys, stays=False
        )
        self.conversation.start()
        self.door = PlainDoor(self.conversation, dialect, name, clock)
        self.transport: FakeTransport = connected(self.door)
        self.closed_half = False

    def show(self, author: str, text: str) -> None:
        self.lines += text.split("\n")

    def show_signed(self, author: str, text: str) -> None:
        self.show(author, text)

    def show_words(self, words: Words) -> None:
        self.show(words.author, words.text)

    def state(self, text: str) -> None:
        """States are no lines."""

    refuse = not_kept = state

    invite = dismiss = pause = resume = hurry = show_names = shown = lambda self: None
    said_here = unstored = called = lambda self, *what: None

    def waiting(self, again: bool) -> None:
        """Nobody needs to be called."""

    def over(self, whole: bool) -> None:
        self.ended.append(whole)


def carry(sender: End, receiver: End, sizes: list[int]) -> None:
    """Bring what ``sender`` wrote to ``receiver``, in pieces of ``sizes`` in turn."""
    data, at, turn = sender.transport.flush(), 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        receiver.transport.receive(data[at : at + size])
        at, turn = at + size, turn + 1
    if "half close" in sender.transport.events and not sender.closed_half:
        sender.closed_half = True
        receiver.transport.peer_closes()


LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), max_size=30)


class BothEndsTests:
    """The two ends together."""

    @given(
        st.lists(
            st.tuples(st.booleans(), st.lists(LINE, min_size=1, max_size=4), st.booleans()), max_size=12
        ),
        st.lists(st.integers(1, 40), min_size=1, max_size=5),
    )
    def test_everything_arrives(self, turns: list[tuple[bool, list[str], bool]], sizes: list[int]) -> None:
        """Whatever is said, in whatever pieces it arrives, is shown at the other end, whole and in order."""
        clock = Clock()
        romeo, juliet = End(HOST, "juliet", clock), End(CALLER, "romeo", clock)
        said: dict[bool, list[str]] = {True: [], False: []}
        for by_romeo, lines, delivered in turns:
            speaker, hearer = (romeo, juliet) if by_romeo else (juliet, romeo)
            speaker.conversation.said("\n".join(lines))
            said[by_romeo] += [f"{line} " if line.lower() == "exit" else line for line in lines]
            if delivered:
                carry(speaker, hearer, sizes)
        carry(romeo, juliet, sizes)
        carry(juliet, romeo, sizes)
        assert juliet.lines == said[True]
        assert romeo.lines == said[False]

    def test_goodbye(self) -> None:
        """One says goodbye with lines on their way both ways; all of them are shown, and both end."""
        clock = Clock()
        romeo, juliet = End(HOST, "juliet", clock), End(CALLER, "romeo", clock)
        romeo.conversation.said("wilt thou leave me")
        juliet.conversation.said("good night")
        juliet.conversation.leave()
        carry(juliet, romeo, [7])
        carry(romeo, juliet, [7])
        assert romeo.lines == ["good night"]
        assert juliet.lines == ["wilt thou leave me"]
        romeo.transport.flush()
        assert (romeo.conversation.state, juliet.conversation.state) == (State.OVER, State.OVER)
        assert (romeo.ended, juliet.ended) == ([True], [True])
        assert clock.getDelayedCalls() == []
