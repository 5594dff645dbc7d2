"""Tests of what a line that begins with a slash does."""

from __future__ import annotations

import pytest

from techboy.chat.commands import (
    COMMANDS,
    LAST_LINES,
    MAX_AWAY_LENGTH,
    MAX_IGNORED,
    MAX_LAST_LINES,
    Command,
    Permission,
)
from techboy.chat.member import DetachedConnection, Member
from techboy.storage.interface import StorageError
from techboy.storage.memory import MemoryLog
from tests.chat.fakes import Events, FakeHouse, FakeWaker

FOR_ALL = [
    *["help", "nick", "me", "msg", "r", "who", "whois", "join", "part", "rooms", "topic"],
    *["last", "away", "back", "ignore", "unignore", "ping", "quit"],
]
FOR_THE_HOST = ["kick", "motd", "shutdown"]


class Verona:
    """A house with a host, Juliet and her nurse in the lobby."""

    def __init__(self) -> None:
        self.chat = FakeHouse()
        assert isinstance(self.chat.flush_scheduler, FakeWaker)
        self.waker = self.chat.flush_scheduler
        self.host, self.host_way = self.chat.comes(host=True)
        self.juliet, self.juliet_way = self.chat.comes("juliet")
        self.nurse, self.nurse_way = self.chat.comes("nurse")
        self.news()

    def does(self, member: Member, line: str) -> list[str]:
        """Return what ``member``, who gives a command, is answered."""
        return self.chat.run_command(member, line)

    def news(self) -> list[str]:
        """Return what is new in the lobby."""
        return self.chat.news()

    def said(self) -> list[tuple[str, str, str]]:
        """Store what was said in the lobby, and return it."""
        return [(batch.author, batch.kind, batch.text) for batch in self.chat.store(at=7.0)]


@pytest.fixture
def verona() -> Verona:
    """Give the house."""
    return Verona()


class TableTests:
    """What there is to do."""

    def test_all(self) -> None:
        """Every command is there, once, for those who may give it."""
        assert [command.name for command in COMMANDS if command.permission is Permission.EVERYONE] == FOR_ALL
        assert [
            command.name for command in COMMANDS if command.permission is Permission.OPERATOR
        ] == FOR_THE_HOST

    @pytest.mark.parametrize(
        ("name", "usage", "required"),
        [
            ("ping", "/ping [NAME]", 0),
            ("nick", "/nick NAME", 1),
            ("msg", "/msg NAME TEXT", 2),
            ("last", "/last [N]", 0),
            ("kick", "/kick NAME [WHY]", 1),
        ],
    )
    def test_usage(self, name: str, usage: str, required: int) -> None:
        """A command tells how it is written."""
        [command] = [command for command in COMMANDS if command.name == name]
        assert (command.usage, command.required) == (usage, required)

    @pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
    def test_required(self, verona: Verona, command: Command) -> None:
        """Who leaves out what is needed is told how the command is written, and nothing is done."""
        name, usage = command.name, command.usage
        for count in range(command.required):
            assert verona.does(verona.host, " ".join([name, *["nurse"] * count])) == [f"usage: {usage}"]
        assert verona.news() == []
        assert verona.said() == []


class ObeyTests:
    """A line is taken for the command that it is."""

    @pytest.mark.parametrize("line", ["ping", "PING", "Ping", "ping  "])
    def test_known(self, verona: Verona, line: str) -> None:
        """Its name is known in any case."""
        assert verona.does(verona.juliet, line) == ["pong"]

    @pytest.mark.parametrize("line", ["dance", "dance a jig", "", " ping", "pin", "pings"])
    def test_unknown(self, verona: Verona, line: str) -> None:
        """What is none is told to its author alone."""
        word = line.partition(" ")[0]
        assert verona.does(verona.juliet, line) == [
            f"unknown command /{word}: type /help for a list, or // to send a message that starts with /"
        ]
        assert verona.said() == []
        assert verona.news() == []

    @pytest.mark.parametrize("line", ["last", "join balcony"])
    def test_unreadable(self, verona: Verona, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
        """The operator alone is told which file can't be read, and why; it is logged in any case."""
        why = "/var/lib/romeo.sqlite: disk I/O error"

        def unreadable(*_: object) -> None:
            raise StorageError(why)

        monkeypatch.setattr(MemoryLog, "read_last", unreadable)
        monkeypatch.setattr(verona.chat.logs, "open", unreadable)
        for member, told in ((verona.juliet, "the server cannot read its history now"), (verona.host, why)):
            verona.waker.events.clear()
            assert verona.does(member, line) == [told]
            assert ("unreadable", why) in verona.waker.events

    @pytest.mark.parametrize("name", FOR_THE_HOST)
    def test_not_for_guests(self, verona: Verona, name: str) -> None:
        """What only the host may do is no command for anybody else."""
        [answer] = verona.does(verona.juliet, f"{name} nurse")
        assert answer.startswith(f"unknown command /{name}:")
        assert (verona.nurse_way.events, verona.news(), verona.chat.motd) == ([], [], [])
        assert not verona.chat.shut


class HelpTests:
    """Everybody can learn what there is to do."""

    def test_host(self, verona: Verona) -> None:
        """The host is told of every command: how it is written, and what it does."""
        assert verona.does(verona.host, "help") == [
            f"{command.usage} - {command.help}" for command in COMMANDS
        ]

    def test_guest(self, verona: Verona) -> None:
        """A guest is told of what a guest may do."""
        lines = verona.does(verona.juliet, "help")
        assert [line.split()[0] for line in lines] == [f"/{name}" for name in FOR_ALL]
        assert "/msg NAME TEXT - send a private message" in lines


class NickTests:
    """Everybody may change your nickname."""

    def test_nick(self, verona: Verona) -> None:
        """All are told, its author with them."""
        assert verona.does(verona.juliet, "nick rosaline") == []
        assert verona.juliet.name == "rosaline"
        assert verona.news() == ["juliet is now rosaline"]

    def test_newcomer(self, verona: Verona) -> None:
        """Who is not announced yet is told alone."""
        paris, _ = verona.chat.comes()
        assert verona.does(paris, "nick paris") == ["you are paris now"]
        assert verona.news() == ["paris joined"]

    def test_same(self, verona: Verona) -> None:
        """Who has the name already is told so, and nobody else is told anything."""
        assert verona.does(verona.juliet, "nick juliet") == ["you are juliet now"]
        assert verona.news() == []

    def test_taken(self, verona: Verona) -> None:
        """A name that is taken gets a number."""
        verona.does(verona.juliet, "nick Nurse")
        assert verona.juliet.name == "Nurse2"

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("romeo", "romeo is reserved"),
            ("Admin", "Admin is reserved"),
            ("guest7", "guest7 is reserved"),
            ("a b", "invalid name 'a b': expected 1-32 letters (a to z), digits, _ . or -"),
        ],
    )
    def test_refused(self, verona: Verona, name: str, why: str) -> None:
        """Who can't be called so is told why, and keeps the name."""
        assert verona.does(verona.juliet, f"nick {name}") == [why]
        assert verona.juliet.name == "juliet"
        assert verona.news() == []


class MeTests:
    """Everybody may say what they do."""

    def test_me(self, verona: Verona) -> None:
        """It is said in the room, and not answered."""
        assert verona.does(verona.juliet, "me sighs deeply") == []
        assert verona.said() == [("juliet", "action", "sighs deeply")]


class MsgTests:
    """Something may be said to one person alone."""

    def test_tabs(self, verona: Verona) -> None:
        """A tab is as good as a blank between a command, a name and the text, which keeps its own."""
        assert verona.does(verona.juliet, "msg\tnurse\tis\the gone?") == ["you say to nurse: is\the gone?"]

    def test_msg(self, verona: Verona) -> None:
        """It is shown to both, and to nobody else; the log knows nothing of it."""
        assert verona.does(verona.juliet, "msg NURSE is he gone?") == ["you say to nurse: is he gone?"]
        assert verona.nurse_way.events == [("tell", ["juliet says to you: is he gone?"])]
        assert (verona.host_way.events, verona.said(), verona.news()) == ([], [], [])

    def test_elsewhere(self, verona: Verona) -> None:
        """It reaches people in other rooms."""
        verona.does(verona.nurse, "join kitchen")
        verona.does(verona.juliet, "msg nurse hello")
        assert verona.nurse_way.events[-1] == ("tell", ["juliet says to you: hello"])

    def test_nobody(self, verona: Verona) -> None:
        """Who is not there can't be told anything."""
        assert verona.does(verona.juliet, "msg paris hello") == ["there is no member called paris"]

    def test_away(self, verona: Verona) -> None:
        """Who is told something while away gets it, and its author knows."""
        verona.does(verona.nurse, "away in the kitchen")
        answer = verona.does(verona.juliet, "msg nurse hello")
        assert answer == ["you say to nurse: hello", "nurse is away: in the kitchen"]
        assert verona.nurse_way.events == [("tell", ["juliet says to you: hello"])]

    def test_full(self, verona: Verona) -> None:
        """Who can take nothing more gets no message, and its author is told so."""
        verona.nurse_way.takes = False
        assert verona.does(verona.juliet, "msg nurse hello") == [
            "nurse is not reading at the moment; your message was not delivered"
        ]
        assert verona.nurse.reply_to is None

    def test_odd_connection(self, verona: Verona) -> None:
        """If the other's connection raises what nobody expects, that one is closed, and the author told."""
        verona.nurse_way.error = RuntimeError("odd")
        assert verona.does(verona.juliet, "msg nurse hello") == [
            "nurse is not reading at the moment; your message was not delivered"
        ]
        assert verona.nurse_way.events == [("fail", verona.nurse_way.error)]

    def test_ignored(self, verona: Verona) -> None:
        """Who is ignored says it to the wind, and does not learn so."""
        verona.does(verona.nurse, "ignore juliet")
        assert verona.does(verona.juliet, "msg nurse hello") == ["you say to nurse: hello"]
        assert verona.nurse_way.events == []


class ReplyTests:
    """What was said to one alone can be answered."""

    def test_reply(self, verona: Verona) -> None:
        """The answer goes to the last who said something."""
        verona.does(verona.host, "msg nurse good morrow")
        verona.does(verona.juliet, "msg nurse is he gone?")
        assert verona.does(verona.nurse, "r not yet, lady") == ["you say to juliet: not yet, lady"]
        assert verona.juliet_way.events == [("tell", ["nurse says to you: not yet, lady"])]
        assert verona.host_way.events == []

    def test_back_and_forth(self, verona: Verona) -> None:
        """An answer can be answered."""
        verona.does(verona.juliet, "msg nurse is he gone?")
        verona.does(verona.nurse, "r not yet")
        assert verona.does(verona.juliet, "r and now?") == ["you say to nurse: and now?"]

    def test_nobody(self, verona: Verona) -> None:
        """Where nobody said anything there is nothing to answer."""
        assert verona.does(verona.juliet, "r hello") == ["no member here has sent you a private message"]

    def test_gone(self, verona: Verona) -> None:
        """Who has left gets no answer."""
        verona.does(verona.juliet, "msg nurse farewell")
        verona.chat.leave(verona.juliet)
        assert verona.does(verona.nurse, "r wait!") == ["no member here has sent you a private message"]

    def test_renamed(self, verona: Verona) -> None:
        """The answer goes to the one who sent the message, whatever they are called by now."""
        verona.does(verona.juliet, "msg nurse hi")
        verona.does(verona.juliet, "nick rosaline")
        assert verona.does(verona.nurse, "r secret") == ["you say to rosaline: secret"]

    def test_ignored(self, verona: Verona) -> None:
        """A message that was not shown is not what is answered."""
        verona.does(verona.nurse, "ignore juliet")
        verona.does(verona.juliet, "msg nurse boo")
        assert verona.does(verona.nurse, "r secret") == ["no member here has sent you a private message"]


class WhoTests:
    """Everybody can see who is there."""

    def test_who(self, verona: Verona) -> None:
        """Who is in the room is listed."""
        verona.does(verona.nurse, "away")
        assert verona.does(verona.juliet, "who") == ["3 here: romeo, juliet, nurse (away)"]

    def test_whois(self, verona: Verona) -> None:
        """Of everybody it is known where they are and since when."""
        verona.does(verona.nurse, "join kitchen")
        assert verona.does(verona.juliet, "whois Nurse") == ["nurse is in kitchen, since 9 o'clock"]

    def test_whois_host(self, verona: Verona) -> None:
        """The host is known as such."""
        assert verona.does(verona.juliet, "whois romeo") == [
            "romeo is in lobby, the operator, since 9 o'clock"
        ]

    @pytest.mark.parametrize(("why", "shown"), [("", "nurse is away"), (" busy", "nurse is away: busy")])
    def test_whois_away(self, verona: Verona, why: str, shown: str) -> None:
        """It is known who is away, and why if that was said."""
        verona.does(verona.nurse, f"away{why}")
        assert verona.does(verona.juliet, "whois nurse") == ["nurse is in lobby, since 9 o'clock", shown]

    def test_whois_nobody(self, verona: Verona) -> None:
        """Of who is not there nothing is known."""
        assert verona.does(verona.juliet, "whois paris") == ["there is no member called paris"]


class JoinTests:
    """Everybody may go to another room."""

    def test_join(self, verona: Verona) -> None:
        """Those who stay are told; who goes is greeted there."""
        assert verona.does(verona.juliet, "join Balcony") == []
        assert verona.juliet.room.name == "Balcony"
        assert verona.juliet_way.events == [("moved",)]
        assert verona.news() == ["juliet left"]

    @pytest.mark.parametrize("name", ["lobby", "LOBBY"])
    def test_here(self, verona: Verona, name: str) -> None:
        """Nobody goes where they are."""
        assert verona.does(verona.juliet, f"join {name}") == ["you are in lobby already"]
        assert verona.juliet_way.events == []

    @pytest.mark.parametrize("name", ["a b", "../etc", "x" * 33])
    def test_no_name(self, verona: Verona, name: str) -> None:
        """A room's name is a name."""
        [answer] = verona.does(verona.juliet, f"join {name}")
        assert answer.endswith(": expected 1-32 letters (a to z), digits, _ . or -")
        assert verona.juliet.room is verona.chat.lobby

    def test_part(self, verona: Verona) -> None:
        """There is a way back, and the room that nobody is in is gone."""
        verona.does(verona.juliet, "join balcony")
        assert verona.does(verona.juliet, "part") == []
        assert verona.juliet.room is verona.chat.lobby
        assert list(verona.chat.rooms) == ["lobby"]

    def test_part_from_lobby(self, verona: Verona) -> None:
        """From the lobby there is no way back."""
        answer = verona.does(verona.juliet, "part")
        assert answer == ["you are in lobby already; /quit leaves the server"]
        assert verona.juliet_way.events == []


class RoomsTests:
    """Everybody can see which rooms there are."""

    def test_rooms(self, verona: Verona) -> None:
        """The fullest come first, then those that come first in the alphabet."""
        for member, name in [(verona.juliet, "tomb"), (verona.nurse, "kitchen")]:
            verona.does(member, f"join {name}")
        verona.chat.comes()
        assert verona.does(verona.host, "rooms") == ["lobby: 2 here", "kitchen: 1 here", "tomb: 1 here"]

    def test_many(self, verona: Verona) -> None:
        """However many there are, the list is short and the count is right."""
        for number in range(LAST_LINES + 2):
            verona.does(verona.chat.comes()[0], f"join room{number}")
        lines = verona.does(verona.juliet, "rooms")
        assert len(lines) == LAST_LINES + 1
        assert lines[-1] == "and 3 more rooms"

    def test_all(self, verona: Verona) -> None:
        """A list that just fits is whole."""
        for number in range(LAST_LINES - 1):
            verona.does(verona.chat.comes()[0], f"join room{number}")
        assert len(verona.does(verona.juliet, "rooms")) == LAST_LINES


class TopicTests:
    """A room may have a topic."""

    def test_none(self, verona: Verona) -> None:
        """Where there is none it is said so."""
        assert verona.does(verona.juliet, "topic") == ["there is no topic"]
        assert verona.news() == []

    def test_change(self, verona: Verona) -> None:
        """A new one is told to all, and shown to who asks."""
        assert verona.does(verona.juliet, "topic names, and roses") == []
        assert verona.news() == ["juliet changed the topic: names, and roses"]
        assert verona.does(verona.nurse, "topic") == ["topic: names, and roses"]

    def test_long(self, verona: Verona) -> None:
        """A long one is cut, so that it greets nobody with a page."""
        verona.does(verona.juliet, f"topic {'x' * (MAX_AWAY_LENGTH + 1)}")
        assert verona.chat.lobby.topic == "x" * MAX_AWAY_LENGTH

    def test_elsewhere(self, verona: Verona) -> None:
        """Every room has its own."""
        verona.does(verona.juliet, "topic roses")
        verona.does(verona.nurse, "join kitchen")
        assert verona.does(verona.nurse, "topic") == ["there is no topic"]


class LastTests:
    """What was said can be seen again."""

    def recalled(self, verona: Verona, line: str, lines: int) -> Events:
        """Return what Juliet, after so many lines, is shown by the command ``line``."""
        verona.chat.post(verona.nurse, "\n".join(map(str, range(lines))))
        verona.said()
        assert verona.does(verona.juliet, line) == []
        return verona.juliet_way.events

    @pytest.mark.parametrize(
        ("line", "count"),
        [
            ("last", LAST_LINES),
            ("last 1", 1),
            ("last 3 ", 3),
            ("last 1000", MAX_LAST_LINES),
            ("last 1001", MAX_LAST_LINES),
            (f"last {'9' * 4000}", MAX_LAST_LINES),
        ],
    )
    def test_last(self, verona: Verona, line: str, count: int) -> None:
        """As many lines are shown as are asked for, and not more than one can bear."""
        lines = MAX_LAST_LINES + 5
        shown = "\n".join(str(number) for number in range(lines - count, lines))
        assert self.recalled(verona, line, lines) == [("recall", [shown])]

    def test_page(self, verona: Verona) -> None:
        """No more than a page is shown at a time: the newest of it, and how many lines that are."""
        line = "x" * 4000
        verona.chat.post(verona.nurse, "\n".join([line] * 99))
        verona.said()
        assert verona.does(verona.juliet, "last 50") == [
            "these are the last 16 lines: at most so many are shown at a time"
        ]
        assert verona.juliet_way.events == [("recall", ["\n".join([line] * 16)])]

    def test_no_room(self, verona: Verona) -> None:
        """Who has not read what was sent before is told to try again later."""
        verona.chat.post(verona.nurse, "hello")
        verona.said()
        verona.juliet_way.takes = False
        assert verona.does(verona.juliet, "last") == [
            "too much is waiting to be sent to you. Try again later."
        ]

    def test_fewer(self, verona: Verona) -> None:
        """Where fewer were said these are shown."""
        assert self.recalled(verona, "last 5", 2) == [("recall", ["0\n1"])]

    def test_nothing(self, verona: Verona) -> None:
        """Where nothing was said it is said so."""
        assert verona.does(verona.juliet, "last") == ["there are no messages yet"]

    @pytest.mark.parametrize("number", ["-1", "all", "1.5", "1 2", "²", "٣"])
    def test_no_number(self, verona: Verona, number: str) -> None:
        """What is no number is not taken for one."""
        assert verona.does(verona.juliet, f"last {number}") == ["usage: /last [N]"]
        assert verona.juliet_way.events == []


class WaysTests:
    """The host is the same by however many ways."""

    def test_message(self, verona: Verona) -> None:
        """What is said to the host alone comes by all ways, and can be answered by each."""
        other, other_way = verona.chat.comes(host=True)
        assert verona.does(verona.juliet, "msg romeo psst") == ["you say to romeo: psst"]
        told = [("tell", ["juliet says to you: psst"])]
        assert (verona.host_way.events, other_way.events) == (told, told)
        for way in (verona.host, other):
            assert verona.does(way, "r hush") == ["you say to juliet: hush"]

    def test_message_to_one(self, verona: Verona) -> None:
        """It has arrived where one of them takes it."""
        verona.chat.comes(host=True)
        verona.host_way.takes = False
        assert verona.does(verona.juliet, "msg romeo psst") == ["you say to romeo: psst"]

    def test_message_to_none(self, verona: Verona) -> None:
        """And has not where none does."""
        _, other_way = verona.chat.comes(host=True)
        verona.host_way.takes = other_way.takes = False
        [answer] = verona.does(verona.juliet, "msg romeo psst")
        assert answer.endswith("your message was not delivered")

    def test_message_ignored(self, verona: Verona) -> None:
        """Each way is told nothing by whom it ignores."""
        other, other_way = verona.chat.comes(host=True)
        verona.does(other, "ignore juliet")
        verona.does(verona.juliet, "msg romeo psst")
        assert len(verona.host_way.events) == 1
        assert other_way.events == []

    def test_quiet(self, verona: Verona) -> None:
        """Nothing is said to who only came to say something."""
        _, quiet_way = verona.chat.comes(host=True, quiet=True)
        verona.does(verona.juliet, "msg romeo psst")
        assert quiet_way.events == []
        verona.chat.leave(verona.host)
        assert verona.does(verona.juliet, "msg romeo psst") == ["there is no member called romeo"]

    def test_answer(self, verona: Verona) -> None:
        """An answer reaches the host as long as one of the ways is open."""
        other, other_way = verona.chat.comes(host=True)
        verona.does(other, "msg nurse good morrow")
        verona.chat.leave(other)
        assert verona.does(verona.nurse, "r good morrow") == ["you say to romeo: good morrow"]
        assert verona.host_way.events == [("tell", ["nurse says to you: good morrow"])]
        assert other_way.events == []

    def test_away(self, verona: Verona) -> None:
        """The host is away, or back, by all of them."""
        other, _ = verona.chat.comes(host=True)
        verona.does(other, "away")
        third, _ = verona.chat.comes(host=True)
        assert verona.does(verona.nurse, "who") == ["3 here: romeo (away), juliet, nurse"]
        assert verona.does(third, "back") == ["you are back"]
        assert verona.does(verona.host, "back") == ["you were not away"]


class AwayTests:
    """Who is not at the keyboard may say so."""

    def test_away(self, verona: Verona) -> None:
        """It is known as long as it is so."""
        assert verona.does(verona.nurse, "away") == ["you are away; /back ends it"]
        assert verona.does(verona.nurse, "back") == ["you are back"]
        assert verona.does(verona.juliet, "whois nurse") == ["nurse is in lobby, since 9 o'clock"]

    def test_long(self, verona: Verona) -> None:
        """A long reason is cut."""
        verona.does(verona.nurse, f"away {'x' * (MAX_AWAY_LENGTH + 1)}")
        assert verona.nurse.away == "x" * MAX_AWAY_LENGTH

    def test_not_away(self, verona: Verona) -> None:
        """Who was not away does not come back."""
        assert verona.does(verona.nurse, "back") == ["you were not away"]


class IgnoreTests:
    """Nobody has to hear everybody."""

    def test_ignore(self, verona: Verona) -> None:
        """Who is ignored stays so under any name, until that is ended."""
        answer = verona.does(verona.juliet, "ignore NURSE")
        assert answer == ["you ignore nurse; /unignore nurse ends it"]
        verona.does(verona.nurse, "nick angelica")
        assert verona.juliet.ignoring == {verona.nurse.number}
        assert verona.does(verona.juliet, "unignore Angelica") == ["you no longer ignore angelica"]
        assert verona.juliet.ignoring == frozenset()

    def test_many(self, verona: Verona) -> None:
        """No more than so many: one of those that are gone makes room, and if all are here none does."""
        others = [verona.chat.comes()[0] for _ in range(MAX_IGNORED)]
        for other in others:
            verona.does(verona.juliet, f"ignore {other.name}")
        why = f"you ignore {MAX_IGNORED} members already, and all of them are here"
        assert verona.does(verona.juliet, "ignore nurse") == [why]
        assert verona.does(verona.juliet, f"ignore {others[0].name}") != [why]
        for other in others[5:]:
            verona.chat.leave(other)
        verona.does(verona.juliet, "ignore nurse")
        ignored = {other.number for other in others} - {others[5].number} | {verona.nurse.number}
        assert verona.juliet.ignoring == ignored

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("ignore paris", "there is no member called paris"),
            ("ignore juliet", "you cannot ignore yourself"),
            ("ignore romeo", "you cannot ignore the operator"),
            ("unignore paris", "there is no member called paris"),
            ("unignore nurse", "you do not ignore nurse"),
        ],
    )
    def test_refused(self, verona: Verona, line: str, why: str) -> None:
        """What can't be is refused."""
        assert verona.does(verona.juliet, line) == [why]
        assert verona.juliet.ignoring == frozenset()


class PingTests:
    """Whether somebody is there."""

    @pytest.mark.parametrize(
        ("behind", "wait"), [(0, "0 lines wait"), (1, "1 line waits"), (2, "2 lines wait")]
    )
    def test_somebody(self, verona: Verona, behind: int, wait: str) -> None:
        """It is told since when nothing was heard, and how much is still to be sent."""
        verona.nurse_way.backlog = behind
        assert verona.does(verona.juliet, "ping nurse") == [f"nurse was last heard 3 s ago; {wait}"]
        assert verona.nurse_way.events == []

    def test_lost(self, verona: Verona) -> None:
        """Where there is no connection that is what is told."""
        verona.nurse.connection = DetachedConnection(lambda: None)
        assert verona.does(verona.juliet, "ping nurse") == ["the connection of nurse was lost"]

    def test_nobody(self, verona: Verona) -> None:
        """Who is not there is not asked."""
        assert verona.does(verona.juliet, "ping paris") == ["there is no member called paris"]


class QuitTests:
    """Everybody may leave."""

    @pytest.mark.parametrize("line", ["quit", "exit", "EXIT"])
    def test_quit(self, verona: Verona, line: str) -> None:
        """Who leaves is told goodbye, and nobody else is."""
        assert verona.does(verona.juliet, line) == []
        assert verona.juliet_way.events == [("goodbye", "goodbye")]
        assert verona.nurse_way.events == []


class KickTests:
    """The host may send somebody away."""

    def test_odd_connection(self, verona: Verona) -> None:
        """If the other's connection raises what nobody expects, that one is closed; the host is not told."""
        verona.nurse_way.error = RuntimeError("odd")
        assert verona.does(verona.host, "kick nurse") == []
        assert verona.nurse_way.events == [("fail", verona.nurse_way.error)]

    @pytest.mark.parametrize(("why", "shown"), [("", ""), (" loud", ": loud"), (" too  loud", ": too  loud")])
    def test_kick(self, verona: Verona, why: str, shown: str) -> None:
        """Who is sent away is told by whom and why, and so are those who stay."""
        assert verona.does(verona.host, f"kick Nurse{why}") == []
        assert verona.nurse_way.events == [("goodbye", f"you were kicked by romeo{shown}")]
        assert verona.news() == [f"nurse was kicked by romeo{shown}"]

    def test_elsewhere(self, verona: Verona) -> None:
        """It is told in the room where that one was."""
        verona.does(verona.nurse, "join kitchen")
        verona.news()
        verona.does(verona.host, "kick nurse")
        assert verona.news() == []
        assert "nurse was kicked by romeo" in verona.chat.news("kitchen")

    @pytest.mark.parametrize(
        ("name", "why"),
        [("paris", "there is no member called paris"), ("romeo", "the operator cannot be kicked")],
    )
    def test_refused(self, verona: Verona, name: str, why: str) -> None:
        """Neither the host nor who is not there can be sent away."""
        assert verona.does(verona.host, f"kick {name}") == [why]
        assert verona.host_way.events == []
        assert verona.news() == []


class MotdTests:
    """The host has a word before the welcome."""

    def test_none(self, verona: Verona) -> None:
        """Where there is none it is said so."""
        assert verona.does(verona.host, "motd") == ["there is no message of the day"]

    def test_change(self, verona: Verona) -> None:
        """A new one takes the place of all lines of the old one, and is shown to who comes."""
        verona.chat.motd = ["two households", "both alike"]
        assert verona.does(verona.host, "motd") == ["two households", "both alike"]
        assert verona.does(verona.host, "motd a feast tonight") == ["a feast tonight"]
        assert verona.chat.welcome_lines(verona.nurse)[0] == "a feast tonight"
        assert len(verona.chat.welcome_lines(verona.nurse)) == 2


class ShutdownTests:
    """The host may end it."""

    def test_shutdown(self, verona: Verona) -> None:
        """The program is told to end."""
        assert verona.does(verona.host, "shutdown") == []
        assert verona.chat.shut
