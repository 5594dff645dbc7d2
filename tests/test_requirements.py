"""Tests of what has to be installed: `.ci/run` tries it with the lowest versions."""

from __future__ import annotations

import re
import sys
from configparser import ConfigParser
from pathlib import Path

from tests.children import run

CHECKOUT = Path(__file__).parents[1]


class LowestTests:
    """`.ci/lowest`, which says what pip is to install."""

    def test_all(self) -> None:
        """Each dependency is there, in the lowest version that is allowed, where it is needed at all.

        Its extras are not: pip takes no constraint with one.
        """
        config = ConfigParser()
        config.read(CHECKOUT / "setup.cfg")
        asked = config["options"]["install_requires"] + config["options.extras_require"]["metrics"]
        done = run([sys.executable, CHECKOUT / ".ci" / "lowest"], capture_output=True, text=True, check=True)
        lowest = re.sub(r"^([\w-]+) == ", r"\1 >= ", done.stdout, flags=re.MULTILINE)
        assert lowest.split("\n") == [*re.sub(r"\[.*?\]", "", asked).strip().split("\n"), ""]
        assert " == " in done.stdout
