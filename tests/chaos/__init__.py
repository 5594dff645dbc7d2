"""The torture: real Juliets and a real Romeo, killed again and again, over connections that are cut.

`run` does it, ``python -m benchmarks.chaos`` is its command line, and ``tests/functional/test_chaos.py``
runs it small.
"""
