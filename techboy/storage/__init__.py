"""Message logs, in memory and in SQLite; the state directory; what a client keeps."""
