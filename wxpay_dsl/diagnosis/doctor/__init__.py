"""``wxpay doctor``: examines a merchant's settings, the way to the service, and what the service says to both."""

from __future__ import annotations

from .examination import examine

__all__ = ["examine"]
