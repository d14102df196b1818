"""Clients that :mod:`bench.calls` compares: each makes the same call in its own way, in a process of its own.

Read ``_driver`` first. A client reads ``{"in_flight": n, "calls": n}`` from a line of stdin, makes that many calls, and
writes ``{"cpu_s": …, "wall_s": …, "rss_kb": …}`` to a line of stdout. It ends at an empty line.
"""
