"""The result of one check, as ``wxpay doctor``, ``wxpay explain`` and ``wxpay notify verify`` print it."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Check"]


@frozen
class Check:
    """The result of one check."""

    #: What was checked: ``serial``, ``clock``, ``signature`` …
    title: str
    #: True if it is right, False if it is wrong, None for information or a warning.
    good: bool | None
    #: What was found, as a sentence.
    text: str
    #: What to do about it; empty if there is nothing to do, or the text says it.
    mend: str = ""
