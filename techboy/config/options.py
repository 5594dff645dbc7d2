"""The command line that Romeo and Juliet have in common."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from getopt import GetoptError, getopt
from typing import Any, NoReturn

from twisted.logger import LogLevel, textFileLogObserver
from twisted.python.reflect import accumulateClassList, filenameToModuleName
from twisted.python.usage import Options, UsageError

from techboy import __version__, exit_status, systems
from techboy.config import endpoints, reactor, settings
from techboy.config.settings import ConfigError, Kind, Layer, Setting
from techboy.config.values import (
    Place,
    choice,
    describe_duration,
    directory,
    duration,
    file_name,
    whole_number,
)
from techboy.net.keepalive import PING_INTERVAL, PING_TIMEOUT
from techboy.net.plain_receiver import MAX_LINE
from techboy.ops.log_files import ReopeningFile, reopenable_log
from techboy.terminal.formats import CHOICES
from techboy.terminal.interface import InputSource
from techboy.terminal.questions import ask
from techboy.terminal.streams import StandardStream, Streams

PORT = 4444
_MODULES = ("techboy", "twisted")
_GETOPT_SAYS = {
    r"option (.+) not recognized": r"unknown option \1",
    r"option (.+) requires argument": r"\1 requires a value",
    r"option (.+) must not have an argument": r"\1 takes no value",
    r"option (.+) not a unique prefix": r"ambiguous option \1",
}
_ANSWERED = {"help", "version"}
_ON_THE_COMMAND_LINE = {*_ANSWERED, "check"}


def _in_our_words(mistake: str) -> str:
    """Return what is wrong with a command line, also if getopt(3) found it."""
    for pattern, words in _GETOPT_SAYS.items():
        if (match := re.fullmatch(pattern, mistake, re.DOTALL)) is not None:
            return match.expand(words)
    return mistake


def option_type(name: str, read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return ``read``, for the value of ``--name``: what it refuses is a UsageError that names the option."""

    def read_option(text: str) -> Any:
        try:
            return read(text)
        except ValueError as refused:
            raise UsageError(f"--{name}: {refused}") from None

    return read_option


def way_in(path: str) -> str:
    """Return the command that runs `twist`, for people, where ``path`` is what was started."""
    module, _, main = filenameToModuleName(path).partition(".")
    return f"python -m {module}" if main == "__main__" and module in _MODULES else "twist"


class ConversationOptions(Options):
    """What both programs can be told: on the command line, by the environment, in a file, in this order.

    What is wrong ends the program with one line, and status 64 where it is the command line, else 78; so does
    what ``platform`` lacks.
    ``repeated`` are options that can be given more than once; ``sides`` the ways of saying one thing, of
    which the highest that is used decides.
    """

    program = "techboy"
    synopsis = "[options]"
    longdesc = ""  # or it would be the docstring of the module that is run
    platform: str = sys.platform
    streams: Callable[[], Streams] = Streams.standard
    repeated: Sequence[str] = ()
    sides: settings.Sides = ()

    optParameters = [
        [
            "max-line",
            None,
            MAX_LINE,
            "Longest line accepted in bytes, without its end",
            option_type("max-line", whole_number(64, 65536)),
        ],
        [
            "output",
            None,
            None,
            f"Format of messages: {', '.join(CHOICES)} [default: auto]",
            option_type("output", choice("format", *CHOICES)),
        ],
        [
            "state",
            None,
            None,
            "Store messages and sessions in this directory",
            option_type("state", directory),
        ],
        [
            "ping-interval",
            None,
            None,
            "Send a ping after so long a silence"
            f" [default: {describe_duration(PING_INTERVAL)}, half --ping-timeout]",
            option_type("ping-interval", duration()),
        ],
        [
            "ping-timeout",
            None,
            None,
            "Close the connection after so long without a reply"
            f" [default: {describe_duration(PING_TIMEOUT)}]",
            option_type("ping-timeout", duration()),
        ],
        [
            "transcript",
            None,
            None,
            "Append all messages to this file too",
            option_type("transcript", file_name),
        ],
        [
            "config",
            None,
            None,
            "Read defaults from this file (TOML)",
            option_type("config", file_name),
        ],
    ]
    optFlags = [["check", None, "Check the configuration and exit"]]

    def __init__(self) -> None:
        super().__init__()
        self.configured: Layer = {}

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the command line and the configuration; twist's own answer to a mistake is its whole help."""
        words = sys.argv[1:] if options is None else options
        try:
            super().parseOptions([*self._configuration(words), *words])
        except ConfigError as mistake:
            self._fail(exit_status.CONFIG, str(mistake))
        except UsageError as mistake:
            self._fail(exit_status.USAGE, _in_our_words(str(mistake)))

    def parseArgs(self, *words: str) -> None:
        """Refuse words that are no options."""
        if words:
            raise UsageError(f"unexpected argument {words[0]!r}")

    def postOptions(self) -> None:
        """Ask what was not given, choose the reactor, and keep the log apart from the conversation."""
        self["ping-timeout"] = self["ping-timeout"] or PING_TIMEOUT
        if self["ping-interval"] is None:
            self["ping-interval"] = min(PING_INTERVAL, self["ping-timeout"] / 2)
        elif self["ping-interval"] >= self["ping-timeout"]:
            self.refuse("--ping-interval must be less than --ping-timeout", "ping-interval", "ping-timeout")
        streams = self.streams()
        self["prompted"] = (
            self.parent is not None
            and not self["check"]
            and reactor.can_prompt(streams, self.terminal_type)
            and reactor.runs_on_asyncio()
        )
        self._try_endpoints()
        if self["check"]:
            exit_status.answer(self.program, self._good())
        if streams.keyboard is InputSource.PERSON:
            self.ask(streams)
        self.setdefault("many", False)
        self.setdefault("hears", True)
        self["shown"] = self.talks(streams)
        self["output"] = self["output"] or CHOICES[0]
        self["streams"], self["log-file"], self["log"] = streams, None, None
        if self.parent is not None:
            self["log-file"] = self._reopened_log(self.parent)
            self["log"] = redirect_log(self.parent, streams, self["shown"]) or self["log-file"]

    def opt_help(self) -> None:
        """Display this help and exit."""
        exit_status.answer(self.program, str(self))

    opt_h = opt_help

    def opt_version(self) -> None:
        """Display the version and exit."""
        exit_status.answer(self.program, f"techboy {__version__}")

    @property
    def terminal_type(self) -> str | None:
        """What kind of terminal it is: ``$TERM``."""
        return os.environ.get("TERM")

    def _reopened_log(self, twist: dict[str, Any]) -> ReopeningFile | None:
        try:
            return reopenable_log(twist)
        except OSError as refused:
            exit_status.fail(exit_status.IO_ERROR, f"{self.program}: the log file: {refused.strerror}")

    def talks(self, streams: Streams) -> bool:
        """Tell whether the conversation is shown on standard output."""
        return True

    @property
    def manager(self) -> Mapping[str, str]:
        """What a service manager says in the environment, among other things; nothing where there is none."""
        return systems.of_manager(os.environ, self.platform)

    def refuse_missing(self) -> None:
        """Refuse what this system lacks, but for endpoints."""
        if self["socket"] is not None and not systems.has_unix_sockets(self.platform):
            self.refuse("--socket: UNIX sockets are not supported on Windows", "socket")

    def ask(self, streams: Streams) -> None:
        """Ask the person for what was not said."""

    def split_host(self) -> None:
        """Set host and port of a ``--host`` that says both; refuse a ``--port`` that says another."""
        if self["host"] is None:
            return
        try:
            self["host"], self["port"] = self._one_port(self["host"])
        except ValueError as two:
            self.refuse(str(two), "host", "port")

    def ask_host(self, streams: Streams, question: str, default: str, read: Callable[[str], Place]) -> None:
        """Ask for the host, of which the answer may also say the port."""

        def answered(text: str) -> Place:
            return self._one_port(read(text))

        self["host"], self["port"] = ask(streams, question, Place(default, self["port"]), answered)

    def _one_port(self, said: Place) -> Place:
        """Return ``said`` with its port, or that of ``--port``; raise ValueError if they are two."""
        port = self["port"]
        if None not in (port, said.port) and port != said.port:
            raise ValueError(f"--host says port {said.port}, and --port says {port}: expected one port")
        return Place(said.host, port if said.port is None else said.port)

    def described(self) -> list[tuple[str, str]]:
        """Return the descriptions of endpoints that were given, each after the name of its option."""
        return []

    def refuse(self, why: str, *names: str) -> NoReturn:
        """End the program because of what the options ``names`` say together."""
        places = [self.configured[name].where for name in names if name in self.configured]
        if places:
            self._fail(exit_status.CONFIG, f"{', '.join(places)}: {why}")
        self._fail(exit_status.USAGE, why)

    def _good(self) -> str:
        """Return what a check that found no mistake says."""
        said = f"{self.program}: the configuration is valid"
        unused = systems.unused(os.environ, self.platform)
        return f"{said}\n{self.program}: not used on Windows: {', '.join(unused)}" if unused else said

    def _try_endpoints(self) -> None:
        for name, text in self.described():
            try:
                endpoints.refuse_missing(text, self.platform)
                if not (self["check"] and endpoints.is_passed(text)):
                    endpoints.server(reactor.current(), text)
            except ValueError as refused:
                self.refuse(str(refused) if name in self.configured else f"--{name} {refused}", name)

    def _configuration(self, words: Sequence[str]) -> list[str]:
        """Return what environment and file say, as words of a command line that go before ``words``."""
        try:
            given, _ = getopt(list(words), self.shortOpt, self.longOpt)
        except GetoptError:
            return []  # the parser says what is wrong, or answers a shell that completes the line
        said = {self.synonyms[option_type.lstrip("-")]: text for option_type, text in given}
        if said.keys() & _ANSWERED:
            return []
        self.configured = settings.merged(said, self._layers(said.get("config")), self.sides)
        return [word for name, setting in self.configured.items() for word in setting.words(name)]

    def _layers(self, path: str | None) -> list[Layer]:
        """Return what the environment says, and the file ``path`` or the one that the environment names."""
        kinds = self._kinds()
        layers = [settings.from_environment(self.program, kinds, os.environ)]
        self._check(layers[0])
        named = layers[0].get("config")
        if path is None and named is not None:
            [path] = named.texts
        if path:
            del kinds["config"]
            layers.append(settings.from_file(path, self.program, kinds))
            self._check(layers[1])
        return layers

    def _kinds(self) -> dict[str, Kind]:
        kinds = {
            name.rstrip("="): Kind.TEXT if name.endswith("=") else Kind.FLAG
            for name in self.longOpt
            if name not in _ON_THE_COMMAND_LINE
        }
        return kinds | dict.fromkeys(self.repeated, Kind.LIST)

    def _check(self, layer: Layer) -> None:
        """Raise ConfigError for what is wrong in ``layer``, whether it holds in the end or not."""
        settings.refuse_both(layer, self.sides)
        parameters: list[list[Any]] = []
        accumulateClassList(type(self), "optParameters", parameters)
        for name, _, _, _, *read in parameters:
            if name in layer and read:
                self._check_value(name, layer[name], *read)

    def _check_value(self, name: str, setting: Setting, read: Callable[[str], Any]) -> None:
        try:
            for text in setting.texts:
                read(text)
        except UsageError as refused:
            why = str(refused).removeprefix(f"--{name}: ")
            raise ConfigError(f"{setting.where}: {why}") from None

    def _fail(self, status: int, why: str) -> NoReturn:
        hint = f" (see {way_in(sys.argv[0])} {self.program} --help)" if status == exit_status.USAGE else ""
        exit_status.fail(status, f"{self.program}: {settings.one_line(why)}{hint}")


def redirect_log(twist: dict[str, Any], streams: Streams, talks: bool) -> StandardStream | None:
    """Have twist's log on a standard stream written in the background, and apart from the conversation.

    It goes to standard error where standard output is taken by the conversation, or closed. There, on a
    terminal, only warnings and worse are shown, unless another level than twist's own was asked for. Returns
    what it is written to, None where that is no standard stream.
    """
    log = twist["logFile"]
    if log not in (sys.stdout, sys.stderr, None):
        return None
    moved = log is not sys.stderr and (talks or streams.stdout is None)
    new = twist["logFile"] = streams.status_output if moved or log is sys.stderr else streams.output
    if moved and new.isatty():
        _show_to_person(twist, streams)
    return new


def _show_to_person(twist: dict[str, Any], streams: Streams) -> None:
    if twist["logLevel"] is LogLevel.info:
        twist["logLevel"] = LogLevel.warn
    if streams.stdout is None or not streams.stdout.isatty():
        # twist chose JSON for a standard output that is no terminal; this one is read by a person
        twist["fileLogObserverFactory"] = textFileLogObserver
