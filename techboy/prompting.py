"""The prompt of a person at a terminal, with everything that belongs to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from techboy.config.options import ConversationOptions
from techboy.terminal.bell import Bell
from techboy.terminal.formats import OutputFormats
from techboy.terminal.formatting import (
    Formatter,
    MessageFormatter,
    PlainFormatter,
    supports_bold,
    supports_colours,
)
from techboy.terminal.input_parser import InputParser
from techboy.terminal.prompt.completion import (
    DIRECT_COMMANDS,
    MEMBER_COMMANDS,
    OPERATOR_COMMANDS,
    CommandCompleter,
)
from techboy.terminal.prompt.history import FileHistory, history_file
from techboy.terminal.prompt.screen import PromptScreen
from techboy.terminal.roster import Roster
from techboy.terminal.streams import StandardStream


def prompted(
    reader: InputParser,
    options: ConversationOptions,
    states: StandardStream,
    status_line: Callable[[], str],
    wall: Callable[[], float],
    environ: Mapping[str, str],
) -> PromptScreen:
    """Return the prompt that ``options`` ask for; the program's log is shown above it, if it goes there."""
    roster = Roster(options["name"])
    direct = OPERATOR_COMMANDS if options["many"] else DIRECT_COMMANDS
    screen = PromptScreen(
        reader,
        _formatter(options, wall, environ),
        roster,
        Bell(),
        states,
        options["max-line"],
        status_line,
        wall,
        FileHistory(history_file(options.program)),
        CommandCompleter(lambda: MEMBER_COMMANDS if screen.is_multi_user else direct, lambda: roster.names),
    )
    log = None if options.parent is None else options.parent["logFile"]
    if isinstance(log, StandardStream) and log.on_screen:
        log.redirect(screen.log)
    return screen


def _formatter(
    options: ConversationOptions, wall: Callable[[], float], environ: Mapping[str, str]
) -> Formatter:
    name = options["name"]
    if options["output"] == "auto":
        return MessageFormatter(
            name, time.localtime, colours=supports_colours(environ), bold=supports_bold(environ)
        )
    clock = partial(time.strftime, "%H:%M")
    shown = OutputFormats(options["output"], True, wall, lambda at: clock(time.localtime(at)))
    return PlainFormatter(shown, name)
