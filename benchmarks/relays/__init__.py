"""Servers to compare with: each is run with ``python -m benchmarks.relays.NAME PORT``."""
