"""Tests of where what was said is kept."""

import pytest

pytest.register_assert_rewrite("tests.logs.contract")
