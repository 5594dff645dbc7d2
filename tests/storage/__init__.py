"""Tests of `techboy.storage`."""
