"""The command line options that Romeo and Juliet share."""

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
_GETOPT_MESSAGES = {
    r"option (.+) not recognized": r"unknown option \1",
    r"option (.+) requires argument": r"\1 requires a value",
    r"option (.+) must not have an argument": r"\1 takes no value",
    r"option (.+) not a unique prefix": r"ambiguous option \1",
}
_INFORMATIONAL = {"help", "version"}
_COMMAND_LINE_ONLY = {*_INFORMATIONAL, "check"}


def _usage_message(error: str) -> str:
    """Return the message of a usage error; messages of getopt(3) are replaced by those of this program."""
    for pattern, replacement in _GETOPT_MESSAGES.items():
        if (match := re.fullmatch(pattern, error, re.DOTALL)) is not None:
            return match.expand(replacement)
    return error


def option_type(name: str, read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return the parser ``read`` for the option ``--name``: errors are a UsageError that names the option."""

    def read_option(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise UsageError(f"--{name}: {error}") from None

    return read_option


def command_name(path: str) -> str:
    """Return the command that runs `twist`, for people; ``path`` is the program that was started."""
    module, _, main = filenameToModuleName(path).partition(".")
    return f"python -m {module}" if main == "__main__" and module in _MODULES else "twist"


class ConversationOptions(Options):
    """The options of both programs, from the command line, the environment and a file, in this precedence.

    An invalid option, and one that ``platform`` does not support, ends the program with one line and an exit
    status: 64 if it is on the command line, 78 otherwise. ``repeated``: options that may be given more than
    once. ``sides``: sets of options that exclude each other; the source with the highest precedence decides
    which set applies.
    """

    program = "techboy"
    synopsis = "[options]"
    longdesc = ""  # by default it is the docstring of the module that is run
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
        """Read the command line and the configuration; exit with one line, not twist's help, on an error."""
        words = sys.argv[1:] if options is None else options
        try:
            super().parseOptions([*self._configuration(words), *words])
        except ConfigError as error:
            self._fail(exit_status.CONFIG, str(error))
        except UsageError as error:
            self._fail(exit_status.USAGE, _usage_message(str(error)))

    def parseArgs(self, *words: str) -> None:
        """Refuse words that are not options."""
        if words:
            raise UsageError(f"unexpected argument {words[0]!r}")

    def postOptions(self) -> None:
        """Check the options, ask for missing ones, choose the reactor, and redirect the log."""
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
            exit_status.answer(self.program, self._check_result())
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
        """The type of the terminal: ``$TERM``."""
        return os.environ.get("TERM")

    def _reopened_log(self, twist: dict[str, Any]) -> ReopeningFile | None:
        try:
            return reopenable_log(twist)
        except OSError as refused:
            exit_status.fail(exit_status.IO_ERROR, f"{self.program}: the log file: {refused.strerror}")

    def talks(self, streams: Streams) -> bool:
        """Return whether messages are shown on standard output."""
        return True

    @property
    def manager(self) -> Mapping[str, str]:
        """The environment, with the variables of a service manager; empty if the platform has none."""
        return systems.of_manager(os.environ, self.platform)

    def refuse_missing(self) -> None:
        """Refuse options that this system does not support, except endpoints."""
        if self["socket"] is not None and not systems.has_unix_sockets(self.platform):
            self.refuse("--socket: UNIX sockets are not supported on Windows", "socket")

    def ask(self, streams: Streams) -> None:
        """Ask the user for missing options."""

    def split_host(self) -> None:
        """Set host and port from a ``--host`` with a port; refuse a ``--port`` with another one."""
        if self["host"] is None:
            return
        try:
            self["host"], self["port"] = self._with_port(self["host"])
        except ValueError as error:
            self.refuse(str(error), "host", "port")

    def ask_host(self, streams: Streams, question: str, default: str, read: Callable[[str], Place]) -> None:
        """Ask for the host; the answer may include the port."""

        def read_answer(text: str) -> Place:
            return self._with_port(read(text))

        self["host"], self["port"] = ask(streams, question, Place(default, self["port"]), read_answer)

    def _with_port(self, place: Place) -> Place:
        """Return ``place`` with its port, or that of ``--port``; raise ValueError if these differ."""
        port = self["port"]
        if None not in (port, place.port) and port != place.port:
            raise ValueError(f"--host says port {place.port}, and --port says {port}: expected one port")
        return Place(place.host, port if place.port is None else place.port)

    def described(self) -> list[tuple[str, str]]:
        """Return the names of the given options that are endpoints, with the descriptions."""
        return []

    def refuse(self, why: str, *names: str) -> NoReturn:
        """End the program because the combination of the options ``names`` is invalid."""
        locations = [self.configured[name].location for name in names if name in self.configured]
        if locations:
            self._fail(exit_status.CONFIG, f"{', '.join(locations)}: {why}")
        self._fail(exit_status.USAGE, why)

    def _check_result(self) -> str:
        """Return the output of a check that found no error."""
        result = f"{self.program}: the configuration is valid"
        unused = systems.unused(os.environ, self.platform)
        return f"{result}\n{self.program}: not used on Windows: {', '.join(unused)}" if unused else result

    def _try_endpoints(self) -> None:
        for name, text in self.described():
            try:
                endpoints.refuse_missing(text, self.platform)
                if not (self["check"] and endpoints.is_passed(text)):
                    endpoints.server(reactor.current(), text)
            except ValueError as error:
                self.refuse(str(error) if name in self.configured else f"--{name} {error}", name)

    def _configuration(self, words: Sequence[str]) -> list[str]:
        """Return the settings of environment and file as words of a command line, to precede ``words``."""
        try:
            options, _ = getopt(list(words), self.shortOpt, self.longOpt)
        except GetoptError:
            return []  # the parser reports the error, or completes the line for a shell
        given = {self.synonyms[option.lstrip("-")]: text for option, text in options}
        if given.keys() & _INFORMATIONAL:
            return []
        self.configured = settings.merged(given, self._layers(given.get("config")), self.sides)
        return [word for name, setting in self.configured.items() for word in setting.words(name)]

    def _layers(self, path: str | None) -> list[Layer]:
        """Return the layers of the environment, and of the file ``path`` or the one that it names."""
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
            if name not in _COMMAND_LINE_ONLY
        }
        return kinds | dict.fromkeys(self.repeated, Kind.LIST)

    def _check(self, layer: Layer) -> None:
        """Raise ConfigError if a setting of ``layer`` is invalid, even if it is overridden."""
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
        except UsageError as error:
            why = str(error).removeprefix(f"--{name}: ")
            raise ConfigError(f"{setting.location}: {why}") from None

    def _fail(self, status: int, why: str) -> NoReturn:
        hint = (
            f" (see {command_name(sys.argv[0])} {self.program} --help)" if status == exit_status.USAGE else ""
        )
        exit_status.fail(status, f"{self.program}: {settings.one_line(why)}{hint}")


def redirect_log(twist: dict[str, Any], streams: Streams, talks: bool) -> StandardStream | None:
    """Write twist's log to a standard stream in the background, separate from the messages.

    The log goes to standard error if standard output is used for messages, or closed. If that is a terminal,
    only warnings and errors are shown, unless twist was given a log level. Return the stream, or None if the
    log is not written to a standard stream.
    """
    log = twist["logFile"]
    if log not in (sys.stdout, sys.stderr, None):
        return None
    moved = log is not sys.stderr and (talks or streams.stdout is None)
    new = twist["logFile"] = streams.status_output if moved or log is sys.stderr else streams.output
    if moved and new.isatty():
        _adapt_to_terminal(twist, streams)
    return new


def _adapt_to_terminal(twist: dict[str, Any], streams: Streams) -> None:
    if twist["logLevel"] is LogLevel.info:
        twist["logLevel"] = LogLevel.warn
    if streams.stdout is None or not streams.stdout.isatty():
        # twist chose JSON because standard output is not a terminal; this stream is read by a person
        twist["fileLogObserverFactory"] = textFileLogObserver
