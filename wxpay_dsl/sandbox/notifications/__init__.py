"""Notifications (通知) that the sandbox sends to ``notify_url``: encrypted, signed, and retried by the schedule.

Read ``sender`` first: it schedules and sends. ``render`` writes one notification, of APIv3 or APIv2. What is to be
delivered is kept in ``state``. It imports ``state``, ``domain``, ``protocol`` and ``keys``.
"""
