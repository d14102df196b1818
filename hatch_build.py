"""Hatchling's build hook: adds the specs with their index, and the static types generated from them, to the wheel.

With the index the first import reads no YAML; with the types an editor completes every endpoint. An editable install
gets the types only. Guides and examples are added for ``wxpay docs``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Generated(BuildHookInterface[Any]):
    """Adds the files generated from ``specs/`` to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generates the files; called before hatchling collects them."""
        root = Path(self.root)
        sys.path.insert(0, str(root))
        try:
            from wxpay_dsl.core.specs.index import INDEX_NAME, portable_index
            from wxpay_dsl.core.specs.parsed import portable
            from wxpay_dsl.core.specs.spec_bytes import PARSED
            from wxpay_dsl.typing.files import write_packaged
            from wxpay_dsl.wechat.chains import DEFAULT
        finally:
            sys.path.remove(str(root))
        if version == "editable":
            # The checkout's own specs are read, and their index is built at the first import.
            write_packaged(root / "wxpay_dsl" / "typed")
            return
        self._folder = tempfile.TemporaryDirectory()
        made = Path(self._folder.name)
        (made / INDEX_NAME).write_bytes(portable_index(str(root / "specs"), DEFAULT))
        (made / PARSED).mkdir()
        # One by one: a checkout's own index and what it has parsed lie in the same folder.
        specs = sorted(file for file in (root / "specs").rglob("*") if _is_carried(file.relative_to(root)))
        for file in specs:
            build_data["force_include"][str(file)] = f"wxpay_dsl/{file.relative_to(root).as_posix()}"
            if file.suffix == ".yaml":
                name, content = portable(file.read_bytes(), str(file))
                (made / PARSED / name).write_bytes(content)
                build_data["force_include"][str(made / PARSED / name)] = f"wxpay_dsl/specs/{PARSED}/{name}"
        write_packaged(made / "typed")
        build_data["force_include"] |= {
            str(made / INDEX_NAME): f"wxpay_dsl/specs/{INDEX_NAME}",
            str(made / "typed"): "wxpay_dsl/typed",
            str(root / "docs" / "guide"): "wxpay_dsl/site/guide",
            str(root / "docs" / "security.md"): "wxpay_dsl/site/security.md",
            str(root / "docs" / "examples"): "wxpay_dsl/site/examples",
        }

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Deletes the generated files; called after the wheel is written."""
        if version != "editable":
            self._folder.cleanup()


def _is_carried(file: Path) -> bool:
    """Whether a file of the specs is for users: what begins with a dot or an underscore is the checkout's own."""
    return file.suffix in (".yaml", ".json") and not any(part.startswith((".", "_")) for part in file.parts)
