"""The group ``wxpay spec``: its commands, which find, show, check, import and export endpoints."""

from __future__ import annotations

from typing import Final

from wxpay_dsl.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "spec"]

COMMANDS: Final = {
    "list": "spec.list:list_operations",
    "show": "spec.show:show_operation",
    "check": "spec.check:check_specs",
    "schema": "spec.schema:print_schema",
    "import": "spec.openapi:import_document",
    "export": "spec.openapi:export_document",
}

spec = LazyGroup("spec", COMMANDS, help="Find, show, check, import and export endpoints. 接口定义")
