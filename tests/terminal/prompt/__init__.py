"""Tests of `techboy.terminal.prompt`."""
