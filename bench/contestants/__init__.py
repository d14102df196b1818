"""Programs that make the same call, each in its own way, in a process of its own: read by ``bench.calls``.

A contestant is told ``{"in_flight": n, "calls": n}`` on a line of stdin, makes so many calls, and answers
``{"cpu_s": …, "wall_s": …, "rss_kb": …}`` on a line of stdout. An empty line ends it.
"""
