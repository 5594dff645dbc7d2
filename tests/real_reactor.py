"""The reactor that pytest-twisted runs, and its decorator of tests, with types."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest_twisted

from techboy.config.reactor import current

T = TypeVar("T")

ensure_deferred: Callable[[T], T] = pytest_twisted.ensureDeferred

reactor = current()
