"""Tests of `techboy.net`."""
