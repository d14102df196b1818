"""Observes calls: hooks, the log, OpenTelemetry, and the detection of drift between responses and specs.

Read :mod:`.hooks` first: everything else here is a :data:`~.hooks.Hook`, and users write their own in the same way. It
imports requests, responses and specs of core, and nothing that sends them.
"""
