"""What every functional test starts from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.functional.programs import Programs
from tests.functional.screens import Screens
from tests.functional.tmux import Tmux


@pytest.fixture
def root() -> Iterator[Path]:
    """Return a folder whose path is short enough for sockets below it."""
    with TemporaryDirectory(prefix="techboy-") as folder:
        yield Path(folder).resolve()


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Programs and peers, all ended when the test is."""
    with Programs(tmp_path) as started:
        yield started


@pytest.fixture
def screens(tmp_path: Path) -> Iterator[Screens]:
    """Programs in terminals with screens, all ended when the test is."""
    with Screens(tmp_path) as started:
        yield started


@pytest.fixture
def tmux(root: Path) -> Iterator[Tmux]:
    """Programs in windows of tmux, all ended when the test is."""
    with Tmux(root) as started:
        yield started
