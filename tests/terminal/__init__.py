"""Tests of keyboard and screen."""
