"""One step of an examination, as ``wxpay doctor``, ``wxpay explain`` and ``wxpay notify verify`` tell it."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Check"]


@frozen
class Check:
    """What was looked at, whether it is as it should be, and in a sentence what was found."""

    title: str
    #: None: neither good nor bad, to be known.
    good: bool | None
    text: str
    #: What to do about it; empty where the text says so, or nothing is to be done.
    mend: str = ""
