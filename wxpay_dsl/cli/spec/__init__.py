"""``wxpay spec`` and ``wxpay stubs``: lists, shows, checks, imports and exports endpoints, and writes static types.

Read ``group`` first: the table of commands, one module each. May import ``input``, ``output`` and any part of the
package outside ``cli``.
"""
