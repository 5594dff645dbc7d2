"""Programs that measure Techboy: run each with ``python -m benchmarks.NAME``."""
