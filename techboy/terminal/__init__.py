"""The user interface: standard streams, input parsing, output formats and the full-screen prompt."""
