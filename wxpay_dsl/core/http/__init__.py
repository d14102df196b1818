"""Sends requests and receives responses over aiohttp: connections, retries, failover, streams and downloads.

Read :mod:`.transport` first: it sends the request of an :class:`~wxpay_dsl.core.messages.Exchange` through middlewares
and records the response. :mod:`.retry` is the outermost middleware, :mod:`.failover` chooses its origin; :mod:`.errors`
translates the exceptions of aiohttp. :mod:`.download` and :mod:`.decoding` read a :mod:`.stream` into a file. It
imports the requests, errors and files of core, and neither the chain nor a dialect.
"""
