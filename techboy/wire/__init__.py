"""How a conversation is written down: pure functions over bytes and text.

Nothing in here knows a socket, a clock or the reactor.
"""
