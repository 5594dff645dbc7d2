"""Tests of `techboy.client`."""
