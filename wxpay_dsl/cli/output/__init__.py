"""Prints results, diagnostics and errors of the command line, and assigns the exit codes.

Read ``terminal`` first: data goes to stdout, all else to stderr, and control characters are replaced. ``failure`` holds
the table of errors and exit codes. May import ``core``, ``wechat`` and ``diagnosis``, not the commands.
"""
