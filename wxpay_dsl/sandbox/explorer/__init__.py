"""The explorer: a web page at the sandbox's ``/`` that finds any operation, shows its fields, and sends signed calls.

Read ``routes`` first: the HTTP API of the page (its scripts are in ``assets``). ``listing`` and ``description`` say
what there is, ``sending`` sends a call through the real client, ``code`` writes it as a program (``curl``,
``javascript``, ``literals``). It imports ``control.access``, ``protocol`` and ``keys``; the sandbox that serves it is
the protocol ``ServedSandbox``. :class:`Explorer` is the public name.
"""

from __future__ import annotations

from .routes import Explorer

__all__ = ["Explorer"]
