"""The linter of spec files: reports what keeps a file from loading, contradictions, and what a call could not reach.

Read :mod:`.lint` first. The folder imports the specs, the chain and the request's validation.
"""
