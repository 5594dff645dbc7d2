"""A server in direct mode in memory, with its operator and clients of both protocols."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from techboy.chat.policy import DIRECT, AfterClient
from techboy.chat.rate_limit import TokenBucket
from techboy.chat.server import ChatServer, ServerConfig
from techboy.server.direct import DirectOperator
from techboy.server.direct_sessions import DirectSessionManager
from techboy.server.factories import ServerContext
from techboy.server.operator import Output
from techboy.server.plain import PlainServerProtocol
from techboy.terminal.interface import InputSource
from techboy.wire.frames import CLOSED, ServerBye
from tests.houses import Visitor
from tests.native import NativeVerona, tokens
from tests.transports import SocketTransport, connected


class Romeo:
    """The operator's screen and program, which write down what they are told."""

    closing_bye = ServerBye(CLOSED)

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.past: list[str] = []
        self.states: list[str] = []
        self.unstored_lines: list[int] = []
        self.ended: list[str | None] = []
        self.reading = True

    def show_message(self, words: Any) -> None:
        (self.past if words.past else self.shown).extend(words.text.split("\n"))

    def show_status(self, text: str) -> bool:
        self.states.append(text)
        return True

    def show_rejection(self, text: str) -> None:
        self.states.append(text)

    def set_pending_lines(self, lines: int) -> None:
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

    is_stopping, clients = False, 0

    def __init__(
        self,
        keyboard: InputSource = InputSource.PERSON,
        output: Output = Output.TERMINAL,
        *,
        stays: bool = True,
        grace: float = 600,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        after = AfterClient.WAIT if stays else AfterClient.END
        config = ServerConfig("romeo", 1, 20, replace(DIRECT, after_client=after))
        self.chat = ChatServer(config, self.broker, self.logs, lambda at: "12:00")
        self.romeo: Any = Romeo()
        self.operator = DirectOperator(self.chat, self.broker, self.romeo, self.romeo, keyboard, output)
        self.options: Any = {"resume-timeout": grace}
        context = cast(ServerContext, self)  # what a session manager uses of it
        self.session_manager = DirectSessionManager(context, self.operator)
        self.session_manager._new_token = tokens()
        self.operator.join()

    def refusal(self, others: int) -> str | None:
        return None if self.operator.is_free else DIRECT.full

    def count_rejection(self) -> None:
        """Nobody counts."""

    def says(self, text: str) -> None:
        """Say ``text`` at the keyboard."""
        self.operator.said(text)
        self.turn()

    def plain(self) -> Visitor:
        """Let somebody in who speaks plain lines."""
        self.session_manager.on_plain_client()
        bucket = TokenBucket(0, 0)
        handler = PlainServerProtocol(self.chat, self.broker, bucket, 4096, lifecycle=self.operator)
        visitor = Visitor(handler, connected(handler, kind=SocketTransport))
        self.turn()
        return visitor
