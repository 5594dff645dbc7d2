"""Tests of the end where nobody sits."""

from __future__ import annotations

from techboy.chat.messages import Message
from techboy.exit_status import OK
from techboy.terminal.null_ui import NullUI


class UnseenTests:
    """A daemon shows no more than states."""

    def test_states(self) -> None:
        """Lines about the conversation are written; nothing of what is said in it is."""
        written: list[str] = []
        unseen = NullUI(written.append)
        unseen.show_prompt()
        unseen.show_status("Connected to juliet")
        unseen.show_lines("juliet", "a secret")
        unseen.show_prefixed_lines("romeo", "nurse: a secret")
        unseen.show_message(Message("nurse", "a secret"))
        unseen.enable_author_names()
        unseen.show_rejection("* too long")
        unseen.pause()
        unseen.resume()
        unseen.hide_prompt()
        assert written == ["Connected to juliet\n", "* too long\n"]

    def test_close(self) -> None:
        """It is closed at once, and nothing went wrong."""
        unseen = NullUI([""].append)
        closed: list[None] = []
        unseen.close().addCallback(closed.append)
        assert closed == [None]
        assert unseen.status == OK
