"""Tables of the guide that must be complete."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT
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
