"""The attribute chain: Python names to a path, a verb and the declared operation, with its documentation as text.

Read :mod:`.tree` first (all declared operations), then :mod:`.node` (what attribute access and calls do). The folder
imports :mod:`wxpay_dsl.core.specs` and :mod:`wxpay_dsl.core.errors`; it sends nothing.
"""
