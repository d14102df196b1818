"""``wxpay notify``: sends a test notification to a server on loopback, and explains why one does not verify.

Read ``group`` first: the table of commands. ``send`` uses the sandbox's sender, ``verify`` the package ``diagnosis``.
May import ``input``, ``output`` and any part of the package outside ``cli``.
"""
