"""The server in direct mode and a client of plain lines, joined in memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from techboy.chat.messages import Message
from techboy.client.conversation import Conversation
from techboy.client.conversation_state import ConversationState
from techboy.client.outbox import Outbox
from techboy.client.plain import PlainPeerProtocol
from techboy.terminal.interface import InputSource
from tests.direct import Balcony
from tests.transports import FakeTransport, connected


class Juliet:
    """The client: a conversation with a person, who remembers what was shown, and its connection."""

    def __init__(self, clock: Clock) -> None:
        self.lines: list[str] = []
        self.ended: list[bool] = []
        self.conversation = Conversation(self, self, InputSource.PERSON, Outbox())
        self.conversation.start()
        self.transport: FakeTransport = connected(PlainPeerProtocol(self.conversation, "romeo", clock))

    def show_lines(self, author: str, text: str) -> None:
        self.lines += text.split("\n")

    def show_prefixed_lines(self, author: str, text: str) -> None:
        self.show_lines(author, text)

    def show_message(self, words: Message) -> None:
        self.show_lines(words.author, words.text)

    def show_status(self, text: str) -> None:
        """States are no lines."""

    show_rejection = not_kept = show_status

    show_prompt = hide_prompt = pause = resume = hurry = enable_author_names = shown = lambda self: None
    show_sent = set_pending_lines = set_nick = lambda self, *what: None

    def waiting(self, again: bool) -> None:
        """Nobody needs to be called."""

    def over(self, whole: bool) -> None:
        self.ended.append(whole)


class Both:
    """Both ends."""

    def __init__(self) -> None:
        self.server = Balcony(stays=False)
        self.at_server = self.server.plain().transport
        self.client = Juliet(self.server.clock)
        self._closed: set[FakeTransport] = set()

    def carry(self, sizes: list[int]) -> None:
        """Bring what each wrote to the other, in pieces of ``sizes`` in turn."""
        self._carry(self.at_server, self.client.transport, sizes)
        self._carry(self.client.transport, self.at_server, sizes)

    def _carry(self, sender: FakeTransport, receiver: FakeTransport, sizes: list[int]) -> None:
        data, at, turn = sender.flush(), 0, 0
        while at < len(data):
            size = sizes[turn % len(sizes)]
            receiver.receive(data[at : at + size])
            at, turn = at + size, turn + 1
        if "half close" in sender.events and sender not in self._closed:
            self._closed.add(sender)
            receiver.peer_closes()
        self.server.turn()


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
        both = Both()
        said: dict[bool, list[str]] = {True: [], False: []}
        for by_server, lines, delivered in turns:
            if by_server:
                both.server.says("\n".join(lines))
            else:
                both.client.conversation.said("\n".join(lines))
            said[by_server] += [f"{line} " if line.lower() == "exit" else line for line in lines]
            if delivered:
                both.carry(sizes)
        both.carry(sizes)
        assert both.client.lines == said[True]
        assert both.server.romeo.shown == said[False]

    def test_goodbye(self) -> None:
        """One says goodbye with lines on their way both ways; all of them are shown, and both end."""
        both = Both()
        both.server.says("wilt thou leave me")
        both.client.conversation.said("good night")
        both.client.conversation.leave()
        for _ in range(3):
            both.carry([7])
        assert both.server.romeo.shown == ["good night"]
        assert both.client.lines == ["wilt thou leave me"]
        assert both.client.conversation.state is ConversationState.OVER
        assert (both.server.romeo.ended, both.client.ended) == ([None], [True])
