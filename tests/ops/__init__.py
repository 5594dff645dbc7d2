"""Tests of `techboy.ops`."""
