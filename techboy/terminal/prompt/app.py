"""What stands at the bottom of the screen: lines that wait, the prompt with what is typed, the status."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Protocol

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.application.current import set_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Size
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindingsBase
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    Dimension,
    FormattedTextControl,
    HSplit,
    Layout,
    Window,
)
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.output import Output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import SearchToolbar
from prompt_toolkit.widgets.toolbars import CompletionsToolbar

STYLE = Style.from_dict(
    {"waiting": "dim", "alone": "dim", "question": "bold", "status": "reverse", "search-toolbar": "dim"}
)


_IS_TOLD_OF_SIZE = hasattr(signal, "SIGWINCH")

_POLLED_EVERY = 0.5
"""Seconds between two looks at the size of a console that does not tell."""

_FAR = 999
"""A row and a column beyond the last of any screen: the cursor goes to the corner."""

_ERASE_UP_TO_CURSOR = "\x1b[1J"


class PromptContent(Protocol):
    """What is to be seen, asked for whenever it is drawn."""

    def rows(self) -> list[str]:
        """Lines that wait, above the prompt."""

    def prompt(self) -> str:
        """What stands before what is typed."""

    def is_alone(self) -> bool:
        """Whether nobody is there to talk to."""

    def question(self) -> str:
        """What is asked, nothing where nothing is."""

    def status_line(self) -> str:
        """How things are, in one line."""


class PromptApp(Application[None]):
    """The application of prompt_toolkit; it draws nothing while ``may_draw`` says no.

    ``resized`` is called when the size of the screen has changed. ``drawn_for``: the size that the screen had
    when the region was drawn, None while it is not there.
    """

    def __init__(
        self,
        shown: PromptContent,
        buffer: Buffer,
        keys: KeyBindingsBase,
        may_draw: Callable[[], bool],
        resized: Callable[[], None],
        keyboard: Input,
        screen: Output,
    ) -> None:
        self._may_draw, self._resized = may_draw, resized
        self.drawn_for: Size | None = None
        super().__init__(
            Layout(_rows(shown, buffer)),
            style=STYLE,
            key_bindings=keys,
            editing_mode=EditingMode.EMACS,
            erase_when_done=True,
            input=keyboard,
            output=screen,
            terminal_size_polling_interval=None if _IS_TOLD_OF_SIZE else _POLLED_EVERY,
        )

    @property
    def height(self) -> int:
        """How many rows it takes on the screen as it is now."""
        size = self.output.get_size()
        with set_app(self):
            return self.layout.container.preferred_height(size.columns, size.rows).preferred

    def draw(self) -> None:
        """Draw now, not later."""
        self._redraw()

    def adapt(self) -> None:
        """Draw for the size that the screen has now, where all stands there as it was drawn."""
        super()._on_resize()

    def lift(self) -> None:
        """Take everything away until the next `draw`; the cursor is where it began.

        What is pasted meanwhile is still known as such.
        """
        self.renderer.erase()
        self.output.enable_bracketed_paste()
        self.output.flush()

    def clear(self) -> None:
        """Clear all of the screen, until the next `draw`; the cursor is at its top.

        Row by row: a screen that is erased as a whole is kept by some terminals among what has scrolled away.
        """
        self.lift()
        if isinstance(self.output, Vt100_Output):
            self.output.cursor_goto(_FAR, _FAR)
            self.output.write_raw(_ERASE_UP_TO_CURSOR)
        else:
            self.output.erase_screen()
        self.output.cursor_goto(0, 0)
        self.output.flush()
        self.drawn_for = None

    def erase(self) -> None:
        """Take everything away, for somebody else to use the terminal."""
        self.renderer.erase()
        self.drawn_for = None
        self.output.disable_bracketed_paste()
        self.output.flush()

    def _redraw(self, render_as_done: bool = False) -> None:
        if render_as_done or self._may_draw():
            super()._redraw(render_as_done)
            self.drawn_for = self.output.get_size()

    def _on_resize(self) -> None:
        self._resized()


def _rows(shown: PromptContent, buffer: Buffer) -> HSplit:
    search = SearchToolbar()
    typed = BufferControl(
        buffer,
        input_processors=[BeforeInput(lambda: _prompt(shown))],
        search_buffer_control=search.control,
        preview_search=True,
    )
    return HSplit(
        [
            _text(lambda: [("class:waiting", "\n".join(shown.rows()))], lambda: len(shown.rows())),
            Window(typed, height=_at_most_half, dont_extend_height=True, wrap_lines=True),
            _text(lambda: [("class:question", shown.question())], lambda: 1 if shown.question() else 0),
            search,
            CompletionsToolbar(),
            _text(lambda: [("", shown.status_line())], lambda: 1, "class:status"),
        ]
    )


def _at_most_half() -> Dimension:
    """Return how many of the screen's rows what is typed may take."""
    return Dimension(min=1, max=max(1, get_app().output.get_size().rows // 2))


def _prompt(shown: PromptContent) -> StyleAndTextTuples:
    return [("class:alone" if shown.is_alone() else "", shown.prompt())]


def _text(
    text: Callable[[], StyleAndTextTuples], height: Callable[[], int], style: str = ""
) -> ConditionalContainer:
    """Return rows that are cut at the screen's width, and not there while they are none."""

    def rows() -> Dimension:
        return Dimension(min=0, preferred=height(), max=height())

    control = FormattedTextControl(text)
    return ConditionalContainer(Window(control, height=rows, style=style), Condition(lambda: height() > 0))
