"""Tests of `techboy.server`."""
