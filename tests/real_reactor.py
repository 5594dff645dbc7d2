"""The reactor that pytest-twisted runs, and its decorator of tests, with types."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import pytest_twisted

from techboy.config.reactor import current
from techboy.service import IReactor

T = TypeVar("T")

ensure_deferred: Callable[[T], T] = pytest_twisted.ensureDeferred

reactor = cast(IReactor, current())
