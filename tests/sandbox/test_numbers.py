"""The formats of the ids that the sandbox makes."""

from __future__ import annotations

import re

import pytest

from wxpay_dsl.sandbox.domain import numbers

#: 2026-01-02 15:04:05 in Beijing.
NOW = 1767337445.0


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("transaction_id", r"4200\d{6}20260102\d{10}"),
        ("refund_id", r"5030\d{7}20260102\d{10}"),
        ("prepay_id", r"wx20260102150405[0-9a-f]{20}"),
        ("service_order_id", r"1500\d{6}20260102150405\d{4}"),
        ("contract_id", r"20260102\d{10}"),
        ("profit_sharing_id", r"3008\d{8}20260102\d{8}"),
        ("bill_no", r"1330\d{8}20260102\d{12}"),
        ("batch_id", r"1030\d{8}20260102\d{12}"),
        ("complaint_id", r"200220260102150405\d{10}"),
    ],
)
def test_each_id_has_its_format_and_is_new(name: str, pattern: str) -> None:
    made = [getattr(numbers, name)(NOW) for _ in range(50)]
    assert all(re.fullmatch(pattern, one) for one in made)
    # Ids with only four random digits may repeat among fifty; that few do is certain enough.
    assert len(set(made)) > 40
