"""Tests of what a service manager sees."""
