"""Parses what the command line is given: chains, ``-d`` and ``-p`` values, prompts, and shell completion.

Read ``parameters`` first: it converts ``-p KEY=VALUE`` by the spec. ``options`` declares the options that all commands
share. May import ``core``, ``wechat`` and the client, not the commands.
"""
