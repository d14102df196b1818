"""The commands of ``wxpay`` that are one module each: ``wxpay call`` is ``call``, ``wxpay doctor`` is ``doctor``.

Read ``call`` first. A module holds the click command, its help text, and the steps between options and output; the work
itself is done by other parts of the package, imported when the command runs. May import ``input``, ``output`` and any
part of the package outside ``cli``.
"""
