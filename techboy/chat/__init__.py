"""What a conversation is. Nothing in here knows bytes, sockets, the clock or Twisted."""
