"""Payment parameters: exact names, and signatures equal to those of openssl."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.core.errors import ConfigurationError, ValidationError
from wxpay_dsl.wechat.crypto.keys import load_private_key
from wxpay_dsl.wechat.payment_params import signing as payment_params
from wxpay_dsl.wechat.payment_params.coupons import coupon_h5_url, coupon_mini_program
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v3 import signing as signing_v3

CASES = Path(__file__).parents[2] / "cases"
V: dict[str, Any] = yaml.safe_load((CASES / "payment_params.yaml").read_text("utf-8"))
M: dict[str, str] = yaml.safe_load((CASES / "keys.yaml").read_text("utf-8"))
KEY = load_private_key(M["pkcs8"])
G: dict[str, Any] = V["given"]
FIXED: dict[str, Any] = {"timestamp": G["timestamp"], "nonce": G["nonce"]}


@pytest.mark.parametrize("function", [payment_params.jsapi, payment_params.mini_program])
def test_jsapi_and_mini_program(function: Any) -> None:
    assert function(G["prepay_id"], G["appid"], KEY, **FIXED) == V["jsapi"]["params"]


def test_app() -> None:
    assert payment_params.app(G["prepay_id"], G["appid"], G["partnerid"], KEY, **FIXED) == V["app"]["params"]


@pytest.mark.parametrize("kind", ["jsapi", "app"])
def test_a_key_that_is_elsewhere_signs_the_same_bytes(kind: str) -> None:
    unsigned = (
        payment_params.prepare_jsapi(G["prepay_id"], G["appid"], **FIXED)
        if kind == "jsapi"
        else payment_params.prepare_app(G["prepay_id"], G["appid"], G["partnerid"], **FIXED)
    )
    assert unsigned.message == V[kind]["message"].encode()
    signed = unsigned.signed(signing_v3.sign(unsigned.message, KEY))
    assert signed == V[kind]["params"]
    assert unsigned.signature_name not in unsigned.fields
    signed["package"] = "changed"  # the caller's own
    assert unsigned.fields["package"] != "changed"


@pytest.mark.parametrize("case", V["v2"], ids=lambda case: case["sign_type"])
def test_apiv2(case: dict[str, str]) -> None:
    for function in (payment_params.jsapi_v2, payment_params.mini_program_v2):
        params = function(G["prepay_id"], G["appid"], G["secret"], case["sign_type"], **FIXED)
        assert params == {
            **V["jsapi"]["params"],
            "signType": case["sign_type"],
            "paySign": case["paySign"],
        }
    params = payment_params.app_v2(G["prepay_id"], G["appid"], G["partnerid"], G["secret"], case["sign_type"], **FIXED)
    assert params == {**V["app"]["params"], "sign": case["sign"]}


def test_apiv2_signs_with_md5_unless_told_otherwise() -> None:
    params = payment_params.jsapi_v2(G["prepay_id"], G["appid"], G["secret"], **FIXED)
    assert (params["signType"], params["paySign"]) == ("MD5", V["v2"][0]["paySign"])
    with pytest.raises(ConfigurationError, match="RSA"):
        payment_params.jsapi_v2(G["prepay_id"], G["appid"], G["secret"], "RSA")


def test_time_and_nonce_are_now_and_new_and_all_values_are_text() -> None:
    begun = int(time.time())
    one, two = (payment_params.jsapi(G["prepay_id"], G["appid"], KEY) for _ in range(2))
    assert begun <= int(one["timeStamp"]) <= time.time()
    assert one["nonceStr"] != two["nonceStr"]
    assert len(one["nonceStr"]) == 32
    assert all(isinstance(value, str) for value in one.values())
    assert json.loads(json.dumps(one)) == one
    app = payment_params.app(G["prepay_id"], G["appid"], G["partnerid"], KEY)
    assert begun <= int(app["timestamp"]) <= time.time()


@pytest.mark.parametrize("prepay_id", ["", None, "prepay_id=wx2014", "wx2014\n", "wx 2014", 5])
@pytest.mark.parametrize(
    "call",
    [
        lambda prepay_id: payment_params.jsapi(prepay_id, "wx1", KEY),
        lambda prepay_id: payment_params.app(prepay_id, "wx1", "1900000109", KEY),
        lambda prepay_id: payment_params.jsapi_v2(prepay_id, "wx1", "apiv2_key"),
        lambda prepay_id: payment_params.app_v2(prepay_id, "wx1", "1900000109", "apiv2_key"),
    ],
    ids=["jsapi", "app", "jsapi_v2", "app_v2"],
)
def test_what_can_be_no_prepay_id_is_refused(call: Any, prepay_id: Any) -> None:
    with pytest.raises(ValidationError, match="prepay_id: "):
        call(prepay_id)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        payment_params.app("", "", "", KEY)
    assert [fault.path for fault in caught.value.errors] == ["prepay_id", "appid", "partnerid"]


class TestH5:
    @pytest.mark.parametrize("case", V["h5"], ids=lambda case: case["title"])
    def test_the_way_back_is_appended_encoded(self, case: dict[str, Any]) -> None:
        assert payment_params.h5_url(case["url"], case["redirect_url"]) == case["result"]

    @pytest.mark.parametrize(
        ("url", "redirect_url", "names"),
        [
            ("", None, "url"),
            ("http://wx.tenpay.com/x", None, "url"),
            ("wx.tenpay.com/x", None, "url"),
            ("https://[", None, "url"),
            (None, None, "url"),
            ("https://wx.tenpay.com/x?a=1&redirect_url=b", "https://a.cn", "url"),
            ("https://wx.tenpay.com/x?a=1", "/done", "redirect_url"),
            ("https://wx.tenpay.com/x?a=1", "javascript:alert(1)", "redirect_url"),
        ],
    )
    def test_what_is_no_url_is_refused(self, url: Any, redirect_url: str | None, names: str) -> None:
        with pytest.raises(ValidationError, match=rf"h5_url: {names}: "):
            payment_params.h5_url(url, redirect_url)


class TestCoupons:
    @pytest.mark.parametrize("case", V["coupons"], ids=lambda case: case["title"])
    def test_mini_program_signs_each_field_with_its_index(self, case: dict[str, Any]) -> None:
        assert coupon_mini_program(case["coupons"], "10016226", G["secret"]) == {
            "send_coupon_params": case["coupons"],
            "send_coupon_merchant": "10016226",
            "sign": case["sign"],
        }

    @pytest.mark.parametrize("case", V["coupon_h5"], ids=lambda case: case["title"])
    def test_h5(self, case: dict[str, Any]) -> None:
        assert coupon_h5_url(apiv2_key=G["secret"], **case["given"]) == case["url"]

    def test_the_order_of_fields_in_a_coupon_does_not_matter(self) -> None:
        coupon = {"stock_id": "1", "out_request_no": "2", "customize_send_time": "2020-01-01T00:00:00+08:00"}
        turned = dict(reversed(coupon.items()))
        sign = [coupon_mini_program([c], "1", G["secret"])["sign"] for c in (coupon, turned)]
        assert sign[0] == sign[1]

    def test_what_cannot_be_right_is_refused_with_its_place(self) -> None:
        good = {"stock_id": "1", "out_request_no": "2"}
        with pytest.raises(ValidationError, match=re.escape("coupons.1.stock_id: ")):
            coupon_mini_program([good, {"out_request_no": "2"}], "1", G["secret"])
        with pytest.raises(ValidationError, match="coupons: 11 coupons given; 1 to 10"):
            coupon_mini_program([good] * 11, "1", G["secret"])
        with pytest.raises(ValidationError, match="coupons: 0 coupons given"):
            coupon_mini_program([], "1", G["secret"])
        with pytest.raises(ValidationError, match="open_id: "):
            coupon_h5_url("1", "2", "3", "", G["secret"])


ids = st.text(st.sampled_from("abcXYZ019_-"), min_size=1, max_size=64)


@given(ids, ids, st.integers(0, 2**31))
def test_a_verifier_finds_in_the_params_all_that_was_signed(prepay_id: str, appid: str, timestamp: int) -> None:
    params = payment_params.jsapi(prepay_id, appid, KEY, timestamp=timestamp)
    message = "".join(f"{params[name]}\n" for name in ("appId", "timeStamp", "nonceStr", "package"))
    assert signing_v3.verify(message, params["paySign"], KEY.public_key())
    params = payment_params.jsapi_v2(prepay_id, appid, G["secret"], timestamp=timestamp)
    assert signing_v2.verify({**params, "paySign": "", "sign": params["paySign"]}, G["secret"])
