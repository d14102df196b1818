"""The business rules of the sandbox: frozen records of orders, refunds, contracts, and functions that change them.

Each module is one product: the record class, and one function per state transition. A function takes a record and the
current Unix time and returns a new record, or raises Refusal with the error code of the real service. Nothing here does
I/O, keeps state or reads a clock. Read ``transactions`` first; ``numbers`` and ``times`` have the formats of ids and
times, ``converters`` the attrs converters of the records.

May import ``protocol.messages`` (Refusal), and no other part of the sandbox.
"""
