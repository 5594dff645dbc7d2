"""Tests of what somebody may be called."""

from __future__ import annotations

import pytest

from techboy.chat.names import LONGEST, checked_name


class CheckedNameTests:
    """A name is one short word."""

    @pytest.mark.parametrize("name", ["j", "juliet", "Julie-Ann", "j.capulet_2", "x" * LONGEST])
    def test_taken(self, name: str) -> None:
        """Letters, digits, dots and dashes make a name."""
        assert checked_name(name) == name

    @pytest.mark.parametrize(
        "name",
        ["", "x" * (LONGEST + 1), "two words", "juliet:", "a/b", "j\n", "\x1b[2J", "\u202ejuliet", "@x"],
    )
    def test_refused(self, name: str) -> None:
        """What could be taken for something else than a name is none, and it is said why."""
        with pytest.raises(ValueError, match="a name is 1 to 32 letters") as refused:
            checked_name(name)
        assert repr(name) in str(refused.value)
