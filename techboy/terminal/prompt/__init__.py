"""The full-screen prompt."""
