"""The state of the sandbox: its tables of records, in memory and optionally in a SQLite file.

``state`` declares the tables, the clock and the units of work: read it first. ``tables`` is the declaration of one
table, ``store`` the tables themselves and their file.

May import ``domain`` (the records) and ``protocol.messages`` (Refusal).
"""
