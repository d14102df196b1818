"""Renders records as fields of the API, for responses and notifications.

One module for each product of APIv3, named as in ``domain``, and ``v2`` for APIv2. Read ``fields`` first, which has the
parts that they share. A view has no rules: every value comes from the record.

May import ``domain``, and no other part of the sandbox.
"""
