"""Chinese terms that are shown beside the framework's English ones, wherever an operation is described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["TERMS"]

#: By the keys of :func:`wxpay_dsl.core.chain.describe.describe`.
TERMS: Final[Mapping[str, str]] = {
    "official": "官方文档",
    "sdk": "公开 SDK",
    "community": "社区资料",
    "unchecked": "未核对",
    "mutual_tls": "双向证书",
    "deprecated_operation": "已下线",
    "deprecated_field": "已废弃",
    "encrypted": "敏感信息加密",
    "doubt": "待核实",
}
