"""Applies the rules of ``domain`` to the state: records, ledger entries and notifications of each step.

One module for each product; read ``payments`` first. A function takes the state and records, applies a rule, writes the
results to the tables, books the money and emits events. Handlers and the control call it inside of a unit of work.
``pending_steps`` runs the steps that the service takes after its response.

May import ``domain``, ``views`` and ``state``, and of ``protocol`` the ``messages`` (Refusal).
"""
