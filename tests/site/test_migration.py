"""The tables for those who move over: complete, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

from wechatpayv3 import WeChatPay

from wxpay_dsl.client import tree
from wxpay_dsl.core.chain.describe import dotted

GUIDE = Path(__file__).parents[2] / "docs" / "guide"


def test_every_method_of_wechatpayv3_has_its_new_name() -> None:
    page = (GUIDE / "migrating-wechatpayv3.md").read_text("utf-8")
    named = set(re.findall(r"^\| `(\w+)", page, re.MULTILINE))
    assert {name for name in dir(WeChatPay) if not name.startswith("_")} - named == set()


def test_every_new_name_is_declared() -> None:
    page = (GUIDE / "migrating-wechatpayv3.md").read_text("utf-8")
    declared = {dotted(operation) for operation in tree().operations()}
    named = set(re.findall(r"`(v3\.[\w.]+\.(?:get|post|put|patch|delete))`", page))
    assert named - declared == set()
    assert len(named) > 150


def test_the_functions_named_for_javascript_are_there() -> None:
    from importlib import import_module

    page = (GUIDE / "migrating-javascript.md").read_text("utf-8")
    named = re.findall(r"`((?:crypto|v2|v3)\.\w+)\.(\w+)`", page)
    assert len(named) > 10
    for module, function in named:
        assert callable(getattr(import_module(f"wxpay_dsl.wechat.{module}"), function))
