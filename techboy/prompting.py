"""The prompt of a person at a terminal, with everything that belongs to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from techboy.config.options import ConversationOptions
from techboy.terminal.bell import Bell
from techboy.terminal.formats import Shown
from techboy.terminal.formatting import Painter, Paints, Undecorated, bold, colours
from techboy.terminal.input_parser import Reader
from techboy.terminal.prompt.completion import GUEST, HOST, TWO, Completing
from techboy.terminal.prompt.history import Remembered, history_file
from techboy.terminal.prompt.screen import PromptScreen
from techboy.terminal.roster import Company
from techboy.terminal.streams import StandardStream


def prompted(
    reader: Reader,
    options: ConversationOptions,
    states: StandardStream,
    status_line: Callable[[], str],
    wall: Callable[[], float],
    environ: Mapping[str, str],
) -> PromptScreen:
    """Return the prompt that ``options`` ask for; the program's log is shown above it, if it goes there."""
    company = Company(options["name"])
    here = HOST if options["many"] else TWO
    screen = PromptScreen(
        reader,
        _painter(options, wall, environ),
        company,
        Bell(),
        states,
        options["max-line"],
        status_line,
        wall,
        Remembered(history_file(options.program)),
        Completing(lambda: GUEST if screen.names_many else here, lambda: company.names),
    )
    log = None if options.parent is None else options.parent["logFile"]
    if isinstance(log, StandardStream) and log.on_screen:
        log.divert(screen.log)
    return screen


def _painter(options: ConversationOptions, wall: Callable[[], float], environ: Mapping[str, str]) -> Paints:
    name = options["name"]
    if options["output"] == "auto":
        return Painter(name, time.localtime, colours=colours(environ), bold=bold(environ))
    clock = partial(time.strftime, "%H:%M")
    shown = Shown(options["output"], True, wall, lambda at: clock(time.localtime(at)))
    return Undecorated(shown, name)
