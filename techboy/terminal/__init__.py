"""Keyboard and screen: the stdio bridge, what it reads and how it shows."""
