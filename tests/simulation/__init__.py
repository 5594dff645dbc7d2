"""The whole program in memory: server, clients, network, disk and clocks, driven by one seed.

`techboy` runs as it is, on Twisted's own TCP transport. Only what lies below is simulated: sockets
(`network`), the reactor (`reactor`), the storage thread (`storage`), and people (`programs`, `peers`). One
random generator decides which of the `actions` comes next, so a seed and a number of steps replay a run
exactly. `truth`, `monitors` and `checks` hold what is seen against the promises of ``docs/protocol.rst``.
"""
