"""The server: its services, listeners, protocols, sessions and delivery."""
