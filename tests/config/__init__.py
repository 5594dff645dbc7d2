"""Tests of `techboy.config`."""
