"""Generates type stubs from a tree of operations, so that type checkers and editors know every call and its fields.

Read :mod:`.stubs` first; :mod:`.typed_dicts` generates the types of fields, and :mod:`.markers` holds the types that
generated stubs refer to. It imports the chain, the specs, and the public types of requests and responses.
"""
