"""Bills (账单): downloaded, decrypted and parsed into typed rows while they arrive, never whole in memory.

Read ``reader`` first (``rows``, re-exported here), then ``parser``, which turns bytes into rows without I/O.
``row_types`` has the classes of rows, ``columns`` and ``values`` how their fields are read; ``downloads`` finds what to
download, ``encrypted`` decrypts it. Imports core, ``wechat.crypto`` and ``wechat.v3``.
"""

from __future__ import annotations

from .parser import BillFormatError
from .reader import Rows, rows
from .row_types import (
    FundFlowRow,
    FundFlowSummary,
    ProfitSharingRow,
    ProfitSharingSummary,
    RefundRow,
    Row,
    Summary,
    TradeRow,
    TradeSummary,
)

__all__ = [
    "BillFormatError",
    "FundFlowRow",
    "FundFlowSummary",
    "ProfitSharingRow",
    "ProfitSharingSummary",
    "RefundRow",
    "Row",
    "Rows",
    "Summary",
    "TradeRow",
    "TradeSummary",
    "rows",
]
