"""Tests that drive the installed programs over real sockets, pipes and terminals."""
