"""Parses notifications: the arguments of a request, XML of APIv2, JSON of APIv3, and what changed them on their way.

Read :mod:`.v3` first: the shape of a notification and its decryption; :mod:`.v2` does the same for APIv2, and verifies
the signature as well. :mod:`.alterations` explains why a signature does not match the bytes received. Modules here
import from ``core``, ``wechat`` and ``notify.notification``, and do no I/O.
"""
