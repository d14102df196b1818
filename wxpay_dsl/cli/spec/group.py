"""``wxpay spec``: the API as data: listed, shown, checked."""

from __future__ import annotations

from typing import Final

from wxpay_dsl.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "spec"]

COMMANDS: Final = {
    "list": "spec_list:list_operations",
    "show": "spec_show:show_operation",
    "check": "spec_check:check_specs",
    "schema": "spec_schema:print_schema",
    "import": "openapi:import_document",
    "export": "openapi:export_document",
}

spec = LazyGroup("spec", COMMANDS, help="Find, show, check, import and export endpoints. 接口定义")
