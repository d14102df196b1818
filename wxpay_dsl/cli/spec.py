"""``wxpay spec``: the API as data: listed, shown, checked."""

from __future__ import annotations

from typing import Final

from .lazy import LazyGroup

__all__ = ["COMMANDS", "spec"]

COMMANDS: Final = {
    "list": "spec_list:list_operations",
    "show": "spec_show:show_operation",
    "check": "spec_check:check_specs",
    "schema": "spec_schema:print_schema",
}

spec = LazyGroup("spec", COMMANDS, help="List, show and check the specs. 接口定义")
