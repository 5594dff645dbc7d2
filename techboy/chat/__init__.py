"""The chat itself: server, rooms, members and commands. It knows no bytes, sockets, clock or Twisted."""
