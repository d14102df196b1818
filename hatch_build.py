"""The build's own step: a wheel carries the specs with their index built, so that the first import reads no YAML."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SpecIndex(BuildHookInterface[Any]):
    """Adds ``specs/`` to the wheel as ``wxpay_dsl/specs``, and the index of it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects the files; an editable install reads the checkout's own specs."""
        if version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root))
        try:
            from wxpay_dsl.core.index import INDEX_NAME, portable_index
            from wxpay_dsl.wechat.families import DEFAULT
        finally:
            sys.path.remove(str(root))
        self._folder = tempfile.TemporaryDirectory()
        index = Path(self._folder.name, INDEX_NAME)
        index.write_bytes(portable_index(str(root / "specs"), DEFAULT))
        build_data["force_include"] |= {
            str(root / "specs"): "wxpay_dsl/specs",
            str(index): f"wxpay_dsl/specs/{INDEX_NAME}",
        }

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called when the wheel is written."""
        if version != "editable":
            self._folder.cleanup()
