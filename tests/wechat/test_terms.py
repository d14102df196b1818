"""What WeChat Pay's vocabulary adds to the framework: Chinese terms in descriptions, names of secret fields in logs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wxpay_dsl import wxpay
from wxpay_dsl.core.dialect import Dialect
from wxpay_dsl.core.redaction import redact_data
from wxpay_dsl.wechat import dialects
from wxpay_dsl.wechat.v2.dialect import v2


def test_help_shows_the_chinese_terms() -> None:
    refund = str(wxpay.v2.secapi.pay.refund.post.__doc__)
    assert "needs the client certificate (双向证书)" in refund
    assert "compared with no official page (未核对); " in refund
    presign = str(wxpay.v3.eduPapay.contracts.presign.post.__doc__)
    assert "compared with the official pages (官方文档) on " in presign
    assert "encrypted (敏感信息加密)" in str(wxpay.v3.profitsharing.receivers.add.post.__doc__)


@pytest.mark.parametrize("dialect", [dialects.v3, dialects.brand, v2])
def test_logs_mask_payment_codes_whatever_the_dialect(dialect: Callable[[], Dialect]) -> None:
    dialect()
    data = {"code_url": "weixin://wxpay/bizpayurl?pr=x", "auth_code": "130000000000000000", "prepay_id": "p"}
    assert redact_data(None, data) == '{"code_url":"***","auth_code":"***","prepay_id":"p"}'
