"""Builds the request of a call: sorts the arguments into sections, validates them, and encodes them once.

Read :mod:`.build` first: :func:`~.build.collect` and :func:`~.build.build` are the two steps of every call. They use
:mod:`.plan` (what requests need from their spec), :mod:`.severity` with :mod:`.validate` and :mod:`.mismatch` (what
refuses a request, and what is warned of), :mod:`.params` and :mod:`.body` (encoding), and for uploads :mod:`.forms`,
:mod:`.files` and :mod:`.multipart`. Nothing here does network I/O. It imports the chain, the specs and the modules of
values below them in core, and nothing of :mod:`wxpay_dsl.core.http`.
"""
