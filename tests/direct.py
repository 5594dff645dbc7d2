"""A server in direct mode in memory, with its operator and clients of both protocols."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from techboy.chat.conversation import Keyboard
from techboy.chat.policy import DIRECT, AfterClient
from techboy.chat.rate_limit import Bucket
from techboy.chat.server import House, Rules
from techboy.server.direct import DirectOperator
from techboy.server.direct_sessions import DirectSessions
from techboy.server.operator import Output
from techboy.server.plain import GuestDoor
from techboy.wire.frames import CLOSED, ServerBye
from tests.houses import Visitor
from tests.native import NativeVerona, tokens
from tests.transports import SocketTransport, connected


class Romeo:
    """The operator's screen and program, which write down what they are told."""

    last_word = ServerBye(CLOSED)

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.past: list[str] = []
        self.states: list[str] = []
        self.unstored_lines: list[int] = []
        self.ended: list[str | None] = []
        self.reading = True

    def show_words(self, words: Any) -> None:
        (self.past if words.past else self.shown).extend(words.text.split("\n"))

    def state(self, text: str) -> bool:
        self.states.append(text)
        return True

    refuse = state

    def unstored(self, lines: int) -> None:
        self.unstored_lines.append(lines)

    def pause(self) -> None:
        self.reading = False

    def resume(self) -> None:
        self.reading = True

    def leave(self) -> None:
        """The program has the operator depart."""

    def over(self, unsaid: str | None) -> None:
        self.ended.append(unsaid)

    def __getattr__(self, name: str) -> Any:
        return lambda *args: None


class Balcony(NativeVerona):
    """A server in direct mode, whose operator is at a keyboard."""

    is_leaving, guests = False, 0

    def __init__(
        self,
        keyboard: Keyboard = Keyboard.PERSON,
        output: Output = Output.TERMINAL,
        *,
        stays: bool = True,
        grace: float = 600,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        after = AfterClient.WAIT if stays else AfterClient.END
        rules = Rules("romeo", 1, 20, replace(DIRECT, after_client=after))
        self.house = House(rules, self.hall, self.logs, lambda at: "12:00")
        self.romeo: Any = Romeo()
        self.operator = DirectOperator(self.house, self.hall, self.romeo, self.romeo, keyboard, output)
        self.options: Any = {"resume-timeout": grace}
        self.lodging: DirectSessions = DirectSessions(self, self.operator)  # type: ignore[arg-type]
        self.lodging._new_token = tokens()
        self.operator.sit()

    def refusal(self, others: int) -> str | None:
        return None if self.operator.is_free else DIRECT.full

    def turned_away(self) -> None:
        """Nobody counts."""

    def says(self, text: str) -> None:
        """Say ``text`` at the keyboard."""
        self.operator.said(text)
        self.turn()

    def plain(self) -> Visitor:
        """Let somebody in who speaks plain lines."""
        self.lodging.yield_place()
        bucket = Bucket(0, 0)
        door = GuestDoor(self.house, self.hall, bucket, 4096, lifecycle=self.operator)
        visitor = Visitor(door, connected(door, kind=SocketTransport))
        self.turn()
        return visitor
