"""Tables and figures of the READMEs and the guide that must agree with the package."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT
from wxpay_dsl import wxpay
from wxpay_dsl.cli.output.failure import ERROR_KINDS
from wxpay_dsl.cli.program import COMMANDS
from wxpay_dsl.settings.settings import ENVIRONMENT, MERCHANT, NAMES

GUIDE = ROOT / "docs" / "guide"


def test_every_setting_is_in_the_guide_with_its_variable() -> None:
    page = (GUIDE / "settings.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (?:`(\w+)`)? *\|", page, re.MULTILINE))
    assert rows == {name: ENVIRONMENT.get(name, "") for name in NAMES}
    own = page.partition("## 连接")[0]
    assert re.findall(r"^\| `(\w+)`", own, re.MULTILINE) == [*MERCHANT[:6], "platform_keys", *MERCHANT[7:]]


def test_every_command_and_exit_code_is_in_the_guide() -> None:
    page = (GUIDE / "command-line.md").read_text("utf-8")
    table = page.partition("## 调用")[0]
    assert [name for name in COMMANDS if not re.search(rf"`(wxpay )?{name}\b", table)] == []
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert codes == {0, 130, *(code for _, code, _ in ERROR_KINDS)}


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CHANGELOG.md"])
def test_the_numbers_of_paths_and_operations_are_those_of_the_specs(name: str) -> None:
    page = (ROOT / name).read_text("utf-8")
    operations = list(wxpay.tree.operations())
    assert {int(number.replace(",", "")) for number in re.findall(r"(1,\d{3}) (?:paths|个路径)", page)} == {
        len({operation.path for operation in operations})
    }
    assert {int(number.replace(",", "")) for number in re.findall(r"(1,\d{3}) (?:operations|个接口)", page)} == {
        len(operations)
    }


@pytest.mark.parametrize("name", ["CHANGELOG.md", "docs/guide/notifications.md"])
def test_the_number_of_events_is_that_of_the_specs(name: str) -> None:
    page = (ROOT / name).read_text("utf-8")
    numbers = {int(number) for number in re.findall(r"(\d+) (?:notification events|events|种事件)", page)}
    assert numbers == {len(wxpay.tree.event_names())}
