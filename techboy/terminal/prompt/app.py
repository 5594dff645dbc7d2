"""The application at the bottom of the screen: pending lines, the prompt with the input, the status bar."""

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
    {
        "waiting": "dim",
        "disconnected": "dim",
        "question": "bold",
        "status": "reverse",
        "search-toolbar": "dim",
    }
)


_HAS_RESIZE_SIGNAL = hasattr(signal, "SIGWINCH")

_POLL_INTERVAL = 0.5
"""Seconds between two checks of the size of a console that sends no signal when it changes."""

_BOTTOM_RIGHT = 999
"""A row and a column beyond any screen: the cursor goes to its last cell."""

_ERASE_UP_TO_CURSOR = "\x1b[1J"


class PromptContent(Protocol):
    """The content of the application, requested each time it is drawn."""

    def pending_rows(self) -> list[str]:
        """The pending lines, above the prompt."""

    def prompt(self) -> str:
        """The text before the input."""

    def is_disconnected(self) -> bool:
        """Whether the peer is not connected."""

    def question(self) -> str:
        """The question to the user, empty if there is none."""

    def status_line(self) -> str:
        """The text of the status bar, one line."""


class PromptApp(Application[None]):
    """The application of prompt_toolkit; it draws only while ``may_draw`` returns True.

    ``resized`` is called when the size of the screen has changed. ``drawn_size``: the size of the screen for
    which the application was drawn, None if it is not on the screen.
    """

    def __init__(
        self,
        content: PromptContent,
        buffer: Buffer,
        bindings: KeyBindingsBase,
        may_draw: Callable[[], bool],
        resized: Callable[[], None],
        keyboard: Input,
        screen: Output,
    ) -> None:
        self._may_draw, self._resized = may_draw, resized
        self.drawn_size: Size | None = None
        super().__init__(
            Layout(_layout(content, buffer)),
            style=STYLE,
            key_bindings=bindings,
            editing_mode=EditingMode.EMACS,
            erase_when_done=True,
            input=keyboard,
            output=screen,
            terminal_size_polling_interval=None if _HAS_RESIZE_SIGNAL else _POLL_INTERVAL,
        )

    @property
    def height(self) -> int:
        """The number of rows that the application needs on the screen at its current size."""
        size = self.output.get_size()
        with set_app(self):
            return self.layout.container.preferred_height(size.columns, size.rows).preferred

    def draw(self) -> None:
        """Draw at once."""
        self._redraw()

    def redraw_resized(self) -> None:
        """Draw for a new size of the screen, of which the terminal has not moved any row."""
        super()._on_resize()

    def hide(self) -> None:
        """Erase the application until the next `draw`; the cursor is at its first row.

        Bracketed paste stays enabled.
        """
        self.renderer.erase()
        self.output.enable_bracketed_paste()
        self.output.flush()

    def clear(self) -> None:
        """Erase the whole screen until the next `draw`; the cursor is at its top.

        It is erased up to the cursor: some terminals move a screen that is erased as a whole into the
        scrollback.
        """
        self.hide()
        if isinstance(self.output, Vt100_Output):
            self.output.cursor_goto(_BOTTOM_RIGHT, _BOTTOM_RIGHT)
            self.output.write_raw(_ERASE_UP_TO_CURSOR)
        else:
            self.output.erase_screen()
        self.output.cursor_goto(0, 0)
        self.output.flush()
        self.drawn_size = None

    def release(self) -> None:
        """Erase the application and disable bracketed paste, for another program to use the terminal."""
        self.renderer.erase()
        self.drawn_size = None
        self.output.disable_bracketed_paste()
        self.output.flush()

    def _redraw(self, render_as_done: bool = False) -> None:
        if render_as_done or self._may_draw():
            super()._redraw(render_as_done)
            self.drawn_size = self.output.get_size()

    def _on_resize(self) -> None:
        self._resized()


def _layout(content: PromptContent, buffer: Buffer) -> HSplit:
    search = SearchToolbar()
    typed = BufferControl(
        buffer,
        input_processors=[BeforeInput(lambda: _prompt(content))],
        search_buffer_control=search.control,
        preview_search=True,
    )
    return HSplit(
        [
            _text(
                lambda: [("class:waiting", "\n".join(content.pending_rows()))],
                lambda: len(content.pending_rows()),
            ),
            Window(typed, height=_at_most_half, dont_extend_height=True, wrap_lines=True),
            _text(lambda: [("class:question", content.question())], lambda: 1 if content.question() else 0),
            search,
            CompletionsToolbar(),
            _text(lambda: [("", content.status_line())], lambda: 1, "class:status"),
        ]
    )


def _at_most_half() -> Dimension:
    """Return the height of the input: at most half of the screen's rows."""
    return Dimension(min=1, max=max(1, get_app().output.get_size().rows // 2))


def _prompt(content: PromptContent) -> StyleAndTextTuples:
    return [("class:disconnected" if content.is_disconnected() else "", content.prompt())]


def _text(
    text: Callable[[], StyleAndTextTuples], height: Callable[[], int], style: str = ""
) -> ConditionalContainer:
    """Return rows that are truncated at the screen's width, and hidden if ``height`` is 0."""

    def rows() -> Dimension:
        return Dimension(min=0, preferred=height(), max=height())

    control = FormattedTextControl(text)
    return ConditionalContainer(Window(control, height=rows, style=style), Condition(lambda: height() > 0))
