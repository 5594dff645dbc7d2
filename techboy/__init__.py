"""Techboy: a conversation in a terminal, between Romeo, who waits, and Juliet, who calls."""

__version__ = "0.1.0"
