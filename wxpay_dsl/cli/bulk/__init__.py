"""``wxpay bulk``: calls one operation for each row of a CSV file, and can continue an interrupted run.

Read ``run`` first: it decides which rows are sent, queried or skipped. ``rows`` reads and checks the table, ``journal``
records each step on disk, ``outcome`` interprets responses, ``results`` writes the results, ``command`` is the click
command. May import ``input``, ``output`` and any part of the package outside ``cli``.
"""
