"""Control of a sandbox beyond calling it as a merchant: act as the payer, move the clock, inject faults, rotate keys.

Read ``control`` first: the methods. ``http_api`` serves them under ``/sandbox/``, ``payer_pages`` serves pages for a
browser, ``access`` admits this machine only, ``remote`` is the client of the HTTP API. ``payer`` and ``payment_codes``
do what a payer does. It imports ``flows``, ``notifications`` and what is below them.
"""
