"""Message logs in memory and in SQLite, the state directory, and the store of the client."""
