"""The protocols as pure functions between bytes and events, without sockets, clock or reactor."""
