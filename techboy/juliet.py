"""Juliet, who calls: ``twist juliet``."""

from __future__ import annotations

from techboy.chat.nicknames import checked_nickname
from techboy.client.service import ChatClient
from techboy.config.options import PORT, ConversationOptions, option_type
from techboy.config.reactor import current, steady
from techboy.config.values import duration, place, socket_path, whole_number
from techboy.terminal.interface import InputSource
from techboy.terminal.questions import ask
from techboy.terminal.streams import Streams
from techboy.wire.protocol import WireProtocol

HOST = "127.0.0.1"
_CALLED, _PLACE = whole_number(1, 65535, "port"), place(1)


class Options(ConversationOptions):
    """Call Romeo until he answers, and talk."""

    program = "juliet"

    optParameters = [
        [
            "host",
            None,
            None,
            f"Name or address of the server, with or without :PORT [default: {HOST}]",
            option_type("host", _PLACE),
        ],
        ["port", "p", None, f"Port of the server [default: {PORT}]", option_type("port", _CALLED)],
        ["name", None, "juliet", "Your nickname", option_type("name", checked_nickname)],
        [
            "timeout",
            None,
            None,
            "Exit if the server cannot be reached, or does not acknowledge, for so long [default: never]",
            option_type("timeout", duration()),
        ],
        [
            "socket",
            None,
            None,
            "Connect to the operator's socket of a server, instead of host and port",
            option_type("socket", socket_path),
        ],
    ]
    optFlags = [["plain", None, "Send plain text lines, without acknowledgement"]]
    sides = (frozenset({"host", "port"}), frozenset({"socket"}))

    def postOptions(self) -> None:
        """Refuse what does not go together, and fill in what was not said."""
        self.refuse_missing()
        self.split_host()
        if self["socket"] is not None:
            self._refuse_with_socket()
        self["hears"] = self["socket"] is None or self.streams().keyboard is not InputSource.SCRIPT
        super().postOptions()
        self["dialect"] = self._dialect()
        self["host"] = HOST if self["host"] is None else self["host"]
        self["port"] = PORT if self["port"] is None else self["port"]

    def _refuse_with_socket(self) -> None:
        if self["host"] is not None or self["port"] is not None:
            self.refuse("--socket cannot be combined with --host or --port", "socket", "host", "port")
        if self["plain"]:
            self.refuse("--socket cannot be combined with --plain", "socket", "plain")

    def _dialect(self) -> WireProtocol:
        if self["socket"] is not None:
            return WireProtocol.NATIVE
        return WireProtocol.PLAIN if self["plain"] else WireProtocol.UNKNOWN

    def ask(self, streams: Streams) -> None:
        """Ask where Romeo is, as the original did."""
        if self["host"] is not None or self["socket"] is not None:
            return
        self.ask_host(streams, "Enter Romeo IP address - ex: 0.tcp.ngrok.io : ", HOST, _PLACE)
        if self["port"] is None:
            self["port"] = ask(streams, "Enter Romeo port number - ex: 13005  : ", PORT, _CALLED)


def makeService(options: Options) -> ChatClient:
    """Return Juliet as `twist` runs her."""
    return ChatClient(steady(current()), options, options["streams"])
