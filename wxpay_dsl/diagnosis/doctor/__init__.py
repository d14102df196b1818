"""``wxpay doctor``: examines a merchant's settings, the hosts, and how the service responds to a signed call.

Read ``examination`` first, which runs the other three modules in order: ``credentials`` (offline), ``host`` (DNS, TCP,
TLS), ``service`` (clock, signature, mode, platform keys).
"""

from __future__ import annotations

from .examination import examine

__all__ = ["examine"]
