"""The stateful operations of the sandbox: each module returns its handlers by ``VERB /path``.

One module for each product of APIv3, and ``v2`` for APIv2. A handler reads the fields of the request, calls a flow, and
renders the record with a view. Read ``pay`` first; ``parameters`` reads the parameters that many operations share,
``registry`` collects all handlers.

May import everything below: ``control``, ``flows``, ``state``, ``views``, ``domain`` and ``protocol``.
"""
