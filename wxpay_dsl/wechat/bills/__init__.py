"""Bills (账单) as rows, read while they come; downloads and decryption of bills."""

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
