"""Tests of a conversation of two."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from techboy.chat.goodbye import LAST_WORDS, PROMPTLY
from techboy.chat.messages import Message
from techboy.client.conversation import Conversation
from techboy.client.conversation_state import ConversationState, IllegalEventError
from techboy.client.outbox import LIMIT, Chunk, Outbox
from techboy.storage.interface import TEXT
from techboy.terminal.interface import InputSource
from tests.chat.fakes import FakeStorer, FullShelf, Scene, talking, waiting

PERSON, SCRIPT, NONE = InputSource.PERSON, InputSource.SCRIPT, InputSource.NONE

CONNECTED = ("here.show_status", "Connected to juliet ('127.0.0.1', 33770)")
CLOSED_BY_PEER = ("here.show_status", "Connection closed by juliet.")
CLOSED = ("here.show_status", "Connection closed.")
LOST = ("here.show_status", "Connection to juliet lost.")
WELCOME = "* welcome to lobby, guest1; /help lists what you can do"
PARTED_PROMPTLY = ("peer.part", PROMPTLY, LAST_WORDS)

ANY_KEYBOARD = pytest.mark.parametrize("keyboard", list(InputSource))
ANY_END = pytest.mark.parametrize("clean", [True, False], ids=["closed", "broken"])


def alone() -> Scene:
    """Nobody is at the other end yet."""
    return waiting(PERSON)


def in_talk() -> Scene:
    """Both may speak."""
    return talking(PERSON)


def finished() -> Scene:
    """The input here ended, and our goodbye is said."""
    scene = talking(SCRIPT)
    scene.conversation.input_ended()
    scene.happened()
    return scene


def expected() -> Scene:
    """The input here ended while nobody was at the other end, with a line to say."""
    scene = waiting(SCRIPT, patient=True)
    scene.conversation.said("hello")
    scene.conversation.input_ended()
    scene.happened()
    return scene


def leaving(keyboard: InputSource = PERSON) -> Scene:
    """Somebody told us to leave, and our goodbye is said."""
    scene = talking(keyboard)
    scene.conversation.leave()
    scene.happened()
    return scene


def left() -> Scene:
    """The other said goodbye, and a script here says the rest."""
    scene = talking(SCRIPT)
    scene.conversation.peer_left()
    scene.happened()
    return scene


def answered() -> Scene:
    """The other said goodbye, and a script here has said the rest."""
    scene = left()
    scene.conversation.input_ended()
    scene.happened()
    return scene


def parted() -> Scene:
    """Both said goodbye, with nothing more to say."""
    scene = talking(PERSON)
    scene.conversation.peer_said_goodbye()
    scene.happened()
    return scene


def over() -> Scene:
    """The conversation is over."""
    scene = waiting(PERSON)
    scene.conversation.leave()
    scene.happened()
    return scene


class StartTests:
    """A conversation begins with nobody at the other end."""

    @pytest.mark.parametrize("keyboard", [PERSON, NONE])
    def test_start(self, keyboard: InputSource) -> None:
        """It waits for somebody to come; a person can type meanwhile."""
        scene = Scene(keyboard)
        scene.conversation.start()
        assert scene.happened() == [("owner.waiting", False)]
        assert scene.conversation.free

    def test_start_of_a_script(self) -> None:
        """A script is not read before somebody is there to hear it."""
        scene = Scene(SCRIPT)
        scene.conversation.start()
        assert scene.happened() == [("here.pause",), ("owner.waiting", False)]


class ArrivalTests:
    """Somebody comes."""

    @pytest.mark.parametrize("keyboard", [PERSON, NONE])
    def test_arrival(self, keyboard: InputSource) -> None:
        """It is shown who came, and a person is invited to type."""
        scene = waiting(keyboard)
        scene.peer_comes()
        assert scene.happened() == [CONNECTED, ("here.invite",)]

    def test_script(self) -> None:
        """A script is read from now on."""
        scene = waiting(SCRIPT)
        scene.peer_comes()
        assert scene.happened() == [CONNECTED, ("here.invite",), ("here.resume",)]

    def test_not_free(self) -> None:
        """A conversation is for two."""
        scene = waiting(PERSON)
        scene.peer_comes()
        assert not scene.conversation.free


FROM_A_PEER: list[Callable[[Conversation], None]] = [
    lambda conversation: conversation.peer_said("hello"),
    lambda conversation: conversation.peer_acknowledged(),
    lambda conversation: conversation.peer_left(),
    lambda conversation: conversation.peer_said_goodbye(),
    lambda conversation: conversation.peer_gone(clean=True),
    lambda conversation: conversation.peer_lost(),
    lambda conversation: conversation.peer_displaced([Chunk(1, 2, "unheard")]),
    lambda conversation: conversation.peer_full(),
    lambda conversation: conversation.peer_ready(),
]


class IllegalTests:
    """What cannot happen in a state is refused, and changes nothing."""

    @pytest.mark.parametrize("begun", [in_talk, finished, leaving, left, answered, parted, over])
    def test_second_peer(self, begun: Callable[[], Scene]) -> None:
        """Nobody comes while somebody is there, or when the conversation is over."""
        scene = begun()
        scene.happened()
        state, peer = scene.conversation.state, scene.conversation.peer
        with pytest.raises(IllegalEventError, match=f"peer_came in the state {state.name}"):
            scene.peer_comes()
        assert (scene.conversation.state, scene.conversation.peer) == (state, peer)
        assert scene.happened() == []

    @pytest.mark.parametrize("tell", FROM_A_PEER)
    @pytest.mark.parametrize("begun", [alone, expected, over])
    def test_no_peer(self, begun: Callable[[], Scene], tell: Callable[[Conversation], None]) -> None:
        """What only a connection can tell is not told without one."""
        scene = begun()
        scene.happened()
        state = scene.conversation.state
        with pytest.raises(IllegalEventError, match=f"in the state {state.name}, without a peer"):
            tell(scene.conversation)
        assert scene.conversation.state is state
        assert scene.happened() == []


class OutboxTests:
    """What is said while nobody is at the other end is kept."""

    def test_kept(self) -> None:
        """What was typed too early is said first of all, in its order."""
        scene = waiting(PERSON)
        scene.conversation.said("hello")
        scene.conversation.said("are you\nthere?")
        scene.peer_comes()
        assert scene.happened() == [
            ("owner.hurry",),
            ("owner.hurry",),
            CONNECTED,
            ("peer.say", "hello\nare you\nthere?"),
            ("here.invite",),
        ]

    def test_said_once(self) -> None:
        """It is not said again to who comes next."""
        scene = waiting(PERSON)
        scene.conversation.said("hello")
        scene.peer_comes()
        scene.conversation.peer_gone(False)
        scene.happened()
        scene.peer_comes()
        assert scene.happened() == [CONNECTED, ("here.invite",)]

    def test_limit(self) -> None:
        """As much is kept as the limit says; who types more is told that it is not said."""
        scene = waiting(PERSON)
        most = "x" * LIMIT
        scene.conversation.said(most)
        scene.conversation.said("y")
        assert scene.happened() == [
            ("owner.hurry",),
            ("here.show_status", "* message not sent: too much is waiting. Try again later."),
        ]
        scene.peer_comes()
        assert ("peer.say", most) in scene.happened()

    def test_limit_counts_all(self) -> None:
        """The limit is for all that waits."""
        scene = waiting(PERSON)
        for _ in range(3):
            scene.conversation.said("x" * (LIMIT // 2))
        assert scene.happened()[2:] == [
            ("here.show_status", "* message not sent: too much is waiting. Try again later.")
        ]

    def test_limit_in_pieces(self) -> None:
        """What begins below the limit is kept whole."""
        scene = waiting(PERSON)
        scene.conversation.said("x" * (LIMIT - 2))
        scene.conversation.said("yy")
        assert scene.happened() == [("owner.hurry",), ("owner.hurry",)]

    def test_room_again(self) -> None:
        """When what waited was said there is room again."""
        scene = waiting(PERSON)
        scene.conversation.said("x" * LIMIT)
        scene.peer_comes()
        scene.conversation.peer_gone(False)
        scene.happened()
        scene.conversation.said("y" * LIMIT)
        assert scene.happened() == [("owner.hurry",)]


class AcknowledgedTests:
    """Where the other end acknowledges what it has stored, it is kept until then."""

    def test_kept(self) -> None:
        """What was sent is sent once, and kept until it is stored."""
        scene = talking(PERSON, kind=FakeStorer)
        scene.conversation.said("hello\nyou")
        scene.conversation.said("there")
        assert scene.happened() == [("peer.say", "hello\nyou"), ("peer.say", "there")]
        assert scene.outbox.lines == 3
        scene.stores(3)
        assert scene.outbox.lines == 1

    def test_script_waits(self) -> None:
        """A script is read no further while too much is not stored, and on when there is room."""
        scene = talking(SCRIPT, kind=FakeStorer)
        scene.conversation.said("x" * LIMIT)
        assert scene.happened()[-1] == ("here.pause",)
        scene.conversation.peer_acknowledged()
        assert scene.happened() == []
        scene.stores(2)
        assert scene.happened() == [("here.resume",)]

    def test_script_is_never_refused(self) -> None:
        """What was read of a script before it could be paused is kept, however much is."""
        scene = talking(SCRIPT, kind=FakeStorer)
        for _ in range(10):
            scene.conversation.said("x" * (LIMIT - 2))
        assert scene.outbox.lines == 10
        assert not [event for event in scene.happened() if event[0] == "here.show_status"]

    def test_script_waits_without_anybody(self) -> None:
        """So it is while nobody is there, and whoever comes does not change it."""
        scene = waiting(SCRIPT, patient=True)
        scene.conversation.said("x" * LIMIT)
        assert scene.happened() == [("here.pause",)]
        scene.peer_comes(FakeStorer)
        assert ("here.resume",) not in scene.happened()
        scene.conversation.peer_lost()
        assert ("here.resume",) not in scene.happened()

    def test_person_does_not_wait(self) -> None:
        """A person may type whatever waits, and is told when that is too much."""
        scene = talking(PERSON, kind=FakeStorer)
        scene.conversation.said("x" * LIMIT)
        assert ("here.pause",) not in scene.happened()
        scene.conversation.said("y")
        assert scene.happened() == [
            ("here.show_status", "* message not sent: too much is waiting. Try again later.")
        ]

    @pytest.mark.parametrize("begun", [finished, leaving, answered, parted])
    def test_nothing_left_to_read(self, begun: Callable[[], Scene]) -> None:
        """Once our goodbye is said, what is stored makes room for nothing."""
        scene = begun()
        scene.conversation.peer_acknowledged()
        assert scene.happened() == []

    def test_from_the_last_time(self) -> None:
        """What was kept by an earlier run is said first of all."""
        scene = Scene(PERSON, outbox=Outbox(kept=[(7, "hello", TEXT), (8, "you", TEXT)]))
        scene.conversation.start()
        scene.conversation.said("there")
        scene.happened()
        scene.peer_comes()
        assert scene.happened() == [CONNECTED, ("peer.say", "hello\nyou\nthere"), ("here.invite",)]

    @pytest.mark.parametrize("somebody", [True, False])
    def test_not_kept(self, somebody: bool) -> None:
        """What can't be kept is not sent either, and the program hears why."""
        scene = Scene(PERSON, outbox=Outbox(FullShelf()))
        scene.conversation.start()
        if somebody:
            scene.peer_comes()
        scene.happened()
        scene.conversation.said("hello")
        assert scene.happened() == [("owner.not_kept", "the disk is full")]
        assert scene.outbox.lines == 0


class PatientTests:
    """A script is read, and its end waited for, also while nobody is at the other end."""

    def test_start(self) -> None:
        """It is read from the beginning on; who calls takes the time that calling takes."""
        scene = Scene(SCRIPT, patient=True)
        scene.conversation.start()
        scene.conversation.said("hello")
        assert scene.happened() == [("owner.waiting", False)]
        assert scene.outbox.lines == 1

    def test_broken(self) -> None:
        """It is read on when the connection is gone."""
        scene = talking(SCRIPT, patient=True)
        scene.conversation.peer_gone(False)
        assert scene.happened() == [("here.hide_prompt",), LOST, ("here.resume",), ("owner.waiting", True)]

    def test_end(self) -> None:
        """At its end whoever comes is told everything, then goodbye."""
        scene = waiting(SCRIPT, patient=True)
        scene.conversation.said("hello")
        scene.happened()
        scene.conversation.input_ended()
        assert scene.happened() == []
        assert scene.conversation.free
        scene.peer_comes(FakeStorer)
        assert scene.happened() == [
            CONNECTED,
            ("peer.say", "hello"),
            ("here.invite",),
            ("peer.part", LAST_WORDS, None),
        ]
        assert scene.conversation.state is ConversationState.FINISHED

    @ANY_KEYBOARD
    def test_end_of_another(self, keyboard: InputSource) -> None:
        """Only a script is waited with: who is patient and not a script wants to leave."""
        scene = waiting(keyboard, patient=keyboard is not SCRIPT)
        scene.conversation.input_ended()
        assert scene.happened() == [("owner.over", True)]

    def test_enter(self) -> None:
        """There is no hurry any more once the input has ended."""
        scene = expected()
        scene.conversation.enter()
        assert scene.happened() == []

    @pytest.mark.parametrize("lines", [0, 1])
    def test_leave(self, lines: int) -> None:
        """Who is told to leave then leaves, and has said all if nothing is left."""
        scene = expected()
        scene.outbox.stored(2 - lines)
        scene.conversation.leave()
        assert scene.happened() == [("owner.over", lines == 0)]

    def test_screen_lost(self) -> None:
        """The rest is said although nobody would see an answer."""
        scene = expected()
        scene.conversation.output_lost()
        assert scene.happened() == []
        assert scene.conversation.state is ConversationState.EXPECTED


class LostTests:
    """A connection is gone where what was not stored is sent again."""

    @ANY_KEYBOARD
    def test_talking(self, keyboard: InputSource) -> None:
        """The other is waited for, and hears the rest."""
        scene = talking(keyboard, patient=True, kind=FakeStorer)
        scene.conversation.said("one\ntwo")
        scene.happened()
        scene.conversation.peer_lost()
        assert scene.happened() == [("here.hide_prompt",), LOST, ("here.resume",), ("owner.waiting", True)]
        assert scene.conversation.state is ConversationState.WAITING
        scene.outbox.resume(2)
        scene.peer_comes(FakeStorer)
        assert ("peer.say", "two") in scene.happened()

    def test_finished(self) -> None:
        """At the end of the input the other is waited for, unless all has arrived."""
        scene = talking(SCRIPT, patient=True, kind=FakeStorer)
        scene.conversation.said("hello")
        scene.conversation.input_ended()
        scene.happened()
        scene.conversation.peer_lost()
        assert scene.happened() == [("here.hide_prompt",), LOST, ("here.resume",), ("owner.waiting", True)]
        assert scene.conversation.state is ConversationState.EXPECTED

    def test_finished_and_stored(self) -> None:
        """Where all is stored nothing is waited for."""
        scene = finished()
        scene.conversation.peer_lost()
        assert scene.happened() == [("here.hide_prompt",), CLOSED, ("owner.over", True)]
        assert scene.conversation.state is ConversationState.OVER

    @pytest.mark.parametrize("lines", [0, 1])
    def test_leaving(self, lines: int) -> None:
        """Who was told to leave does so, and has said all if nothing is left."""
        scene = talking(PERSON, kind=FakeStorer)
        scene.conversation.said("hello")
        scene.outbox.stored(2 - lines)
        scene.conversation.leave()
        scene.happened()
        scene.conversation.peer_lost()
        assert scene.happened() == [("here.hide_prompt",), CLOSED, ("owner.over", lines == 0)]

    @pytest.mark.parametrize("begun", [left, answered, parted])
    def test_goodbye_heard(self, begun: Callable[[], Scene]) -> None:
        """Who has said goodbye is not waited for."""
        scene = begun()
        scene.conversation.peer_lost()
        assert scene.happened() == [("here.hide_prompt",), ("owner.over", True)]


class DisplacedTests:
    """The other gives its connection to another that speaks for it."""

    def test_displaced(self) -> None:
        """Nothing is announced, and the next may come at once."""
        scene = talking(PERSON)
        scene.conversation.peer_displaced([])
        assert scene.happened() == [("here.hide_prompt",)]
        assert scene.conversation.free
        scene.peer_comes()
        assert scene.happened() == [CONNECTED, ("here.invite",)]

    def test_unheard(self) -> None:
        """What the first did not understand is said to the next."""
        scene = talking(PERSON)
        scene.conversation.peer_displaced([Chunk(1, 3, "hello\nyou")])
        scene.happened()
        scene.peer_comes()
        assert scene.happened() == [CONNECTED, ("peer.say", "hello\nyou"), ("here.invite",)]


class AbandonTests:
    """The other end does not answer."""

    @pytest.mark.parametrize("lines", [0, 1])
    def test_alone(self, lines: int) -> None:
        """With nobody there it ends at once, and has said all if nothing is left."""
        scene = waiting(PERSON)
        scene.conversation.said("hello")
        scene.outbox.stored(2 - lines)
        scene.happened()
        scene.conversation.abandon()
        assert scene.happened() == [("owner.over", lines == 0)]

    @pytest.mark.parametrize("begun", [lambda: talking(PERSON), finished, leaving, left, answered, parted])
    def test_somebody(self, begun: Callable[[], Scene]) -> None:
        """A connection is cut, and nothing else is waited for."""
        scene = begun()
        scene.conversation.abandon()
        assert scene.happened() == [("peer.abort",)]
        scene.conversation.peer_gone(False)
        assert scene.happened()[-1] == ("owner.over", True)
        assert scene.conversation.state is ConversationState.OVER

    def test_over(self) -> None:
        """What is over does not end again."""
        scene = over()
        scene.conversation.abandon()
        assert scene.happened() == []


class ManyTests:
    """A host of many that says who spoke, and when."""

    def test_names(self) -> None:
        """Where there are more than two, their names are shown."""
        scene = talking(PERSON)
        scene.conversation.peer_hosts_many()
        assert scene.happened() == [("here.enable_author_names",)]

    def test_told(self) -> None:
        """What it passes on is shown as it is known."""
        scene, words = talking(PERSON), Message("nurse", "hello\nyou", "text", 7, 9.0, past=True)
        scene.conversation.peer_message(words)
        assert scene.happened() == [("here.show_words", words)]

    def test_noted(self) -> None:
        """What it tells about the conversation is a state, that no author could have written."""
        scene = talking(PERSON)
        scene.conversation.peer_notice("nurse joined")
        assert scene.happened() == [("here.show_status", "* nurse joined")]

    def test_refused(self) -> None:
        """A line that it did not take is refused here."""
        scene = talking(PERSON)
        scene.conversation.peer_refused("too long")
        assert scene.happened() == [("here.show_rejection", "* too long")]


class WaitingTests:
    """Nobody is at the other end."""

    def test_enter(self) -> None:
        """Enter asks for the other end to be reached now."""
        scene = waiting(PERSON)
        scene.conversation.enter()
        assert scene.happened() == [("owner.hurry",)]

    def test_command(self) -> None:
        """A command that nobody hears is not kept, and its author is told."""
        scene = waiting(PERSON)
        scene.conversation.commanded("nick rosaline", "nick")
        assert scene.happened() == [("here.show_status", "* not connected: /nick was not sent")]

    def test_ping(self) -> None:
        """It is told here that nobody is there, and how much waits."""
        scene = waiting(PERSON)
        scene.conversation.said("hello")
        scene.happened()
        scene.conversation.commanded("ping", "ping")
        assert scene.happened() == [("here.show_status", "* not connected; 1 line waits")]

    @ANY_KEYBOARD
    def test_leave(self, keyboard: InputSource) -> None:
        """Told to leave, the program ends at once."""
        scene = waiting(keyboard)
        scene.conversation.leave()
        assert scene.happened() == [("owner.over", True)]
        assert scene.conversation.state is ConversationState.OVER

    def test_leave_with_words_unsaid(self) -> None:
        """Who typed something that nobody heard did not say all."""
        scene = waiting(PERSON)
        scene.conversation.said("hello")
        scene.happened()
        scene.conversation.leave()
        assert scene.happened() == [("owner.over", False)]

    def test_end_of_input(self) -> None:
        """A person that ends the input wants to leave."""
        scene = waiting(PERSON)
        scene.conversation.input_ended()
        assert scene.happened() == [("owner.over", True)]

    def test_end_of_a_script(self) -> None:
        """A script that has nothing to say ends the program."""
        scene = waiting(SCRIPT)
        scene.conversation.input_ended()
        assert scene.happened() == [("owner.over", True)]

    @pytest.mark.parametrize("keyboard", [PERSON, NONE])
    def test_screen_lost(self, keyboard: InputSource) -> None:
        """Without a screen there is nothing to wait for."""
        scene = waiting(keyboard)
        scene.conversation.output_lost()
        assert scene.happened() == [("owner.over", True)]

    def test_screen_of_a_script_lost(self) -> None:
        """A script has its say although nobody sees the answers."""
        scene = waiting(SCRIPT)
        scene.conversation.output_lost()
        assert scene.happened() == []
        assert scene.conversation.free


class TalkingTests:
    """Both talk."""

    @ANY_KEYBOARD
    def test_say(self, keyboard: InputSource) -> None:
        """What is said here is sent to the other."""
        scene = talking(keyboard)
        scene.conversation.said("hello\nyou")
        assert scene.happened() == [("peer.say", "hello\nyou")]

    @ANY_KEYBOARD
    def test_hear(self, keyboard: InputSource) -> None:
        """What the other says is shown with its name."""
        scene = talking(keyboard)
        scene.conversation.peer_said("hello\nyou")
        assert scene.happened() == [("here.show_lines", "juliet", "hello\nyou")]

    def test_command(self) -> None:
        """A caller's command goes to the host."""
        scene = talking(PERSON)
        scene.conversation.commanded("nick rosaline", "nick")
        assert scene.happened() == [("peer.command", "nick rosaline")]

    @pytest.mark.parametrize(
        ("lines", "wait"), [(0, "0 lines wait"), (1, "1 line waits"), (2, "2 lines wait")]
    )
    def test_ping(self, lines: int, wait: str) -> None:
        """It is told here since when nothing was heard, and how much is not stored."""
        scene = talking(PERSON, kind=FakeStorer)
        if lines:
            scene.conversation.said("\n" * (lines - 1))
        scene.happened()
        scene.conversation.commanded("ping", "Ping")
        assert scene.happened() == [("here.show_status", f"* juliet was last heard 3 s ago; {wait}")]

    def test_enter(self) -> None:
        """An empty line says nothing."""
        scene = talking(PERSON)
        scene.conversation.enter()
        assert scene.happened() == []


class HostOfManyTests:
    """A host of many says itself, with every line, who spoke."""

    @pytest.mark.parametrize(
        "first", [WELCOME, f"{WELCOME}\n* 1 here: juliet", f"* two households\n{WELCOME}"]
    )
    def test_signed(self, first: str) -> None:
        """A host that bids welcome to a room is one, from its first line to its last."""
        scene = talking(PERSON)
        for text in (first, "nurse: hello"):
            scene.conversation.peer_said(text)
            assert scene.happened() == [("here.show_prefixed_lines", "juliet", text)]

    @pytest.mark.parametrize("first", ["hello", "", "well, * welcome to this"])
    def test_bare(self, first: str) -> None:
        """Another host speaks for itself, whatever it says later."""
        scene = talking(PERSON)
        for text in (first, WELCOME):
            scene.conversation.peer_said(text)
            assert scene.happened() == [("here.show_lines", "juliet", text)]

    def test_greeted_late(self) -> None:
        """Notices before the greeting may arrive before it."""
        scene = talking(PERSON)
        for text in ("* two households", WELCOME, "nurse: hello"):
            scene.conversation.peer_said(text)
        assert [event[0] for event in scene.happened()] == [
            "here.show_lines",
            "here.show_prefixed_lines",
            "here.show_prefixed_lines",
        ]

    @pytest.mark.parametrize(("first", "then"), [(WELCOME, "hello"), ("hello", WELCOME)])
    def test_next(self, first: str, then: str) -> None:
        """Whoever is there next is taken by its own first words."""
        scene = talking(PERSON)
        scene.conversation.peer_said(first)
        scene.conversation.peer_gone(False)
        scene.peer_comes()
        scene.happened()
        scene.conversation.peer_said(then)
        how = "here.show_prefixed_lines" if then == WELCOME else "here.show_lines"
        assert scene.happened() == [(how, "juliet", then)]


class BackPressureTests:
    """Who can't take more is not given more."""

    @ANY_KEYBOARD
    def test_connection_full(self, keyboard: InputSource) -> None:
        """Nothing more is read here than the connection can take."""
        scene = talking(keyboard)
        scene.conversation.peer_full()
        assert scene.happened() == [("here.pause",)]
        scene.conversation.peer_ready()
        assert scene.happened() == [("here.resume",)]

    @pytest.mark.parametrize("begun", [finished, leaving, answered, parted])
    def test_nothing_left_to_say(self, begun: Callable[[], Scene]) -> None:
        """Once our goodbye is said, nothing is read here that could not be said any more."""
        scene = begun()
        scene.conversation.peer_ready()
        assert scene.happened() == []

    def test_screen_full(self) -> None:
        """Nothing more is read from the other than the screen can take."""
        scene = talking(PERSON)
        scene.conversation.output_full()
        assert scene.happened() == [("peer.pause",)]
        scene.conversation.output_ready()
        assert scene.happened() == [("peer.resume",)]

    def test_screen_full_before(self) -> None:
        """Who comes while the screen is full is not read from before it can take more."""
        scene = waiting(PERSON)
        scene.conversation.output_full()
        scene.peer_comes()
        assert scene.happened() == [CONNECTED, ("peer.pause",), ("here.invite",)]

    @pytest.mark.parametrize("begun", [over, finished, leaving, lambda: waiting(SCRIPT)])
    def test_shown(self, begun: Callable[[], Scene]) -> None:
        """The program hears that everything was shown, whatever the conversation is at."""
        scene = begun()
        scene.conversation.output_written()
        assert scene.happened() == [("owner.shown",)]

    def test_screen_ready_before(self) -> None:
        """A screen that was full once keeps nobody waiting."""
        scene = waiting(PERSON)
        scene.conversation.output_full()
        scene.conversation.output_ready()
        scene.peer_comes()
        assert scene.happened() == [CONNECTED, ("here.invite",)]


class BrokenTests:
    """The connection is gone without a goodbye."""

    @ANY_END
    @pytest.mark.parametrize("keyboard", [PERSON, NONE])
    def test_wait_again(self, keyboard: InputSource, clean: bool) -> None:
        """The conversation is not over: the other is waited for."""
        scene = talking(keyboard)
        scene.conversation.peer_gone(clean)
        assert scene.happened() == [("here.hide_prompt",), LOST, ("here.resume",), ("owner.waiting", True)]
        assert scene.conversation.free

    def test_while_full(self) -> None:
        """A person can type on although the connection was full when it broke."""
        scene = talking(PERSON)
        scene.conversation.peer_full()
        scene.conversation.peer_gone(False)
        pauses = [event for event in scene.happened() if event in (("here.pause",), ("here.resume",))]
        assert pauses == [("here.pause",), ("here.resume",)]

    def test_script(self) -> None:
        """A script waits with the rest until somebody is there again."""
        scene = talking(SCRIPT)
        scene.conversation.peer_gone(False)
        assert scene.happened() == [("here.hide_prompt",), LOST, ("here.pause",), ("owner.waiting", True)]
        scene.peer_comes()
        assert scene.happened() == [CONNECTED, ("here.invite",), ("here.resume",)]


class LeaveTests:
    """Somebody here wants to leave."""

    @ANY_KEYBOARD
    def test_goodbye(self, keyboard: InputSource) -> None:
        """All that was said is sent, then goodbye; the other has a moment to answer."""
        scene = talking(keyboard)
        scene.conversation.leave()
        assert scene.happened() == [("here.hide_prompt",), PARTED_PROMPTLY]
        assert scene.conversation.state is ConversationState.LEAVING

    @ANY_END
    def test_end(self, clean: bool) -> None:
        """The program ends as it was told, however the connection does."""
        scene = leaving()
        scene.conversation.peer_gone(clean)
        assert scene.happened() == [("here.hide_prompt",), CLOSED, ("owner.over", True)]
        assert scene.conversation.state is ConversationState.OVER

    def test_last_words(self) -> None:
        """What the other still says is shown; nothing more is said here."""
        scene = leaving()
        scene.conversation.peer_said("wait!")
        scene.conversation.said("too late")
        assert scene.happened() == [("here.show_lines", "juliet", "wait!")]

    @pytest.mark.parametrize("goodbye", ["peer_left", "peer_said_goodbye"])
    @ANY_KEYBOARD
    def test_answer(self, keyboard: InputSource, goodbye: str) -> None:
        """The other's goodbye is the answer to ours, and is not announced."""
        scene = leaving(keyboard)
        getattr(scene.conversation, goodbye)()
        assert scene.happened() == [("here.hide_prompt",), PARTED_PROMPTLY]
        assert scene.conversation.state is ConversationState.LEAVING

    def test_insist(self) -> None:
        """Saying it twice does no harm."""
        scene = leaving()
        scene.conversation.leave()
        assert scene.happened() == [("here.hide_prompt",), PARTED_PROMPTLY]

    @pytest.mark.parametrize("begun", [finished, left, answered, parted])
    def test_hurry(self, begun: Callable[[], Scene]) -> None:
        """Whatever goodbye is under way, there is no more time than for a prompt one."""
        scene = begun()
        scene.conversation.leave()
        assert scene.happened() == [("here.hide_prompt",), PARTED_PROMPTLY]

    @ANY_END
    @pytest.mark.parametrize("begun", [left, answered, parted])
    def test_announced_once(self, begun: Callable[[], Scene], clean: bool) -> None:
        """Where the other's goodbye was shown already, the end is not announced a second time."""
        scene = begun()
        scene.conversation.leave()
        assert scene.conversation.state is ConversationState.PARTED
        scene.happened()
        scene.conversation.peer_gone(clean)
        assert scene.happened() == [("here.hide_prompt",), ("owner.over", True)]

    @ANY_END
    def test_end_after_input(self, clean: bool) -> None:
        """Who leaves after the end of the input does not wait to know whether all has arrived."""
        scene = finished()
        scene.conversation.leave()
        assert scene.conversation.state is ConversationState.LEAVING
        scene.happened()
        scene.conversation.peer_gone(clean)
        assert scene.happened() == [("here.hide_prompt",), CLOSED, ("owner.over", True)]

    def test_command(self) -> None:
        """Nothing is asked of who was left."""
        scene = leaving()
        scene.conversation.commanded("nick rosaline", "nick")
        assert scene.happened() == [("here.show_status", "* not connected: /nick was not sent")]

    @pytest.mark.parametrize("keyboard", [PERSON, NONE])
    def test_screen_lost(self, keyboard: InputSource) -> None:
        """Who sees nothing any more leaves."""
        scene = talking(keyboard)
        scene.conversation.output_lost()
        assert scene.happened() == [("here.hide_prompt",), PARTED_PROMPTLY]

    def test_screen_of_a_script_lost(self) -> None:
        """A script says the rest although nobody sees the answers."""
        scene = talking(SCRIPT)
        scene.conversation.output_lost()
        scene.conversation.said("hello")
        assert scene.happened() == [("peer.say", "hello")]


class EndOfInputTests:
    """All was said here."""

    @pytest.mark.parametrize("keyboard", [PERSON, SCRIPT])
    def test_goodbye(self, keyboard: InputSource) -> None:
        """All is sent, however long it takes; then the other has some seconds for the rest."""
        scene = talking(keyboard)
        scene.conversation.input_ended()
        assert scene.happened() == [("peer.part", LAST_WORDS, None)]
        assert scene.conversation.state is ConversationState.FINISHED

    def test_last_words(self) -> None:
        """What the other still says is shown."""
        scene = finished()
        scene.conversation.peer_said("wait!")
        assert scene.happened() == [("here.show_lines", "juliet", "wait!")]

    @pytest.mark.parametrize("goodbye", ["peer_left", "peer_said_goodbye"])
    def test_answer(self, goodbye: str) -> None:
        """When the other says goodbye too, nothing is left to wait for."""
        scene = finished()
        getattr(scene.conversation, goodbye)()
        assert scene.happened() == [("here.hide_prompt",), PARTED_PROMPTLY]
        assert scene.conversation.state is ConversationState.FINISHED

    @ANY_END
    def test_whole(self, clean: bool) -> None:
        """Where the connection broke before it was closed, it is not sure that all has arrived."""
        scene = finished()
        scene.conversation.peer_gone(clean)
        assert scene.happened() == [("here.hide_prompt",), CLOSED, ("owner.over", clean)]
        assert scene.conversation.state is ConversationState.OVER

    @pytest.mark.parametrize("begun", [leaving, answered, parted, over])
    def test_too_late(self, begun: Callable[[], Scene]) -> None:
        """After our goodbye there is nothing to end."""
        scene = begun()
        scene.conversation.input_ended()
        assert scene.happened() == []


class PeerLeavesTests:
    """The other says goodbye, to a person or a service."""

    @pytest.mark.parametrize("goodbye", ["peer_left", "peer_said_goodbye"])
    @pytest.mark.parametrize("keyboard", [PERSON, NONE])
    def test_goodbye(self, keyboard: InputSource, goodbye: str) -> None:
        """It is shown, and answered with our own goodbye."""
        scene = talking(keyboard)
        getattr(scene.conversation, goodbye)()
        assert scene.happened() == [
            ("here.hide_prompt",),
            CLOSED_BY_PEER,
            ("here.hide_prompt",),
            PARTED_PROMPTLY,
        ]
        assert scene.conversation.state is ConversationState.PARTED

    @ANY_END
    def test_end(self, clean: bool) -> None:
        """The conversation is over, which was announced already."""
        scene = parted()
        scene.conversation.peer_gone(clean)
        assert scene.happened() == [("here.hide_prompt",), ("owner.over", True)]
        assert scene.conversation.state is ConversationState.OVER

    def test_close_after_exit(self) -> None:
        """Closing after an `exit` is announced once."""
        scene = parted()
        scene.conversation.peer_left()
        assert scene.happened() == [("here.hide_prompt",), PARTED_PROMPTLY]

    def test_nothing_said(self) -> None:
        """Nothing is sent to who has left."""
        scene = parted()
        scene.conversation.said("hello?")
        scene.conversation.enter()
        assert scene.happened() == []


class PeerLeavesScriptTests:
    """The other says goodbye to a script that has not said all."""

    def test_goodbye(self) -> None:
        """The other may still listen: the script goes on until it falls silent."""
        scene = talking(SCRIPT)
        scene.conversation.peer_left()
        assert scene.happened() == [("here.hide_prompt",), CLOSED_BY_PEER, ("peer.end_within", PROMPTLY)]
        assert scene.conversation.state is ConversationState.LEFT

    def test_exit(self) -> None:
        """Who says `exit` does not listen any more, and hears no more than our goodbye."""
        scene = talking(SCRIPT)
        scene.conversation.peer_said_goodbye()
        assert scene.happened() == [
            ("here.hide_prompt",),
            CLOSED_BY_PEER,
            ("here.hide_prompt",),
            PARTED_PROMPTLY,
        ]
        assert scene.conversation.state is ConversationState.PARTED

    def test_rest(self) -> None:
        """Whatever the script says gives it another moment."""
        scene = left()
        scene.conversation.said("and another thing")
        assert scene.happened() == [("peer.end_within", PROMPTLY), ("peer.say", "and another thing")]

    def test_slow_listener(self) -> None:
        """Who listens slowly has some seconds, as long as it goes on."""
        scene = left()
        scene.conversation.peer_full()
        assert scene.happened() == [("here.pause",), ("peer.end_within", LAST_WORDS)]
        scene.conversation.peer_ready()
        assert scene.happened() == [("peer.end_within", PROMPTLY), ("here.resume",)]

    def test_exit_after_close(self) -> None:
        """A goodbye that was heard already changes nothing."""
        scene = left()
        scene.conversation.peer_said_goodbye()
        assert scene.happened() == []
        assert scene.conversation.state is ConversationState.LEFT

    def test_end_of_script(self) -> None:
        """At its end the script says goodbye."""
        scene = left()
        scene.conversation.input_ended()
        assert scene.happened() == [("here.hide_prompt",), PARTED_PROMPTLY]
        assert scene.conversation.state is ConversationState.ANSWERED

    @pytest.mark.parametrize("goodbye", ["peer_left", "peer_said_goodbye"])
    def test_exit_after_end(self, goodbye: str) -> None:
        """A goodbye after the script's own is not announced again."""
        scene = answered()
        getattr(scene.conversation, goodbye)()
        assert scene.happened() == [("here.hide_prompt",), PARTED_PROMPTLY]
        assert scene.conversation.state is ConversationState.ANSWERED

    @ANY_END
    @pytest.mark.parametrize("begun", [left, answered])
    def test_whole(self, begun: Callable[[], Scene], clean: bool) -> None:
        """Where the connection breaks before it was closed, it is not sure that all has arrived."""
        scene = begun()
        scene.conversation.peer_gone(clean)
        assert scene.happened() == [("here.hide_prompt",), ("owner.over", clean)]


class OverTests:
    """Nothing begins anew once a conversation is over."""

    def test_over(self) -> None:
        """It ends once, whatever happens afterwards."""
        scene = over()
        scene.conversation.said("hello")
        scene.conversation.enter()
        scene.conversation.output_full()
        scene.conversation.output_ready()
        scene.conversation.output_lost()
        scene.conversation.leave()
        assert scene.happened() == []
        assert not scene.conversation.free
