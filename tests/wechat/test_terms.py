"""What WeChat Pay's vocabulary adds to the framework: Chinese terms in descriptions, names of secret fields in logs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wxpay_dsl import wxpay
from wxpay_dsl.core.chain.describe import certainty
from wxpay_dsl.core.dialect import Dialect
from wxpay_dsl.core.redaction import redact_data
from wxpay_dsl.core.specs.model import Checked
from wxpay_dsl.wechat.terms import TERMS
from wxpay_dsl.wechat.v2.dialect import v2
from wxpay_dsl.wechat.v3.brand import brand
from wxpay_dsl.wechat.v3.dialect import v3


def test_help_shows_the_chinese_terms() -> None:
    refund = str(wxpay.v2.secapi.pay.refund.post.__doc__)
    assert "needs the client certificate (双向证书)" in refund
    assert "compared with users' descriptions (社区资料) on " in refund
    assert "encrypted (敏感信息加密)" in str(wxpay.v3.profitsharing.receivers.add.post.__doc__)


@pytest.mark.parametrize(("source", "term"), [("official", "官方文档"), ("sdk", "公开 SDK"), ("community", "社区资料")])
def test_every_source_of_facts_has_a_chinese_term(source: str, term: str) -> None:
    assert f" ({term}) on 2026-08-08" in certainty(Checked(source, "2026-08-08"), TERMS)


@pytest.mark.parametrize("dialect", [v3, brand, v2])
def test_logs_mask_payment_codes_whatever_the_dialect(dialect: Callable[[], Dialect]) -> None:
    dialect()
    data = {"code_url": "weixin://wxpay/bizpayurl?pr=x", "auth_code": "130000000000000000", "prepay_id": "p"}
    assert redact_data(None, data) == '{"code_url":"***","auth_code":"***","prepay_id":"p"}'
