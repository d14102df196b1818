"""The API-mapping framework: YAML specs, an attribute chain over them, and HTTP requests; it knows no particular API.

Start with :mod:`.specs` (YAML to :class:`~wxpay_dsl.core.specs.model.Operation`), then :mod:`.chain` (names to a
target), :mod:`.request` (a target and data to bytes), :mod:`.http` (bytes to a response), and :mod:`.client`, where
they are put together. A vocabulary supplies a :class:`~wxpay_dsl.core.dialect.Dialect` for each kind of endpoint.
Nothing here imports other parts of the package.
"""
