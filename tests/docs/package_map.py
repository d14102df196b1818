"""The map of the package in CONTRIBUTING.md, drawn from its imports: ``python -m tests.docs.package_map`` writes it."""

from __future__ import annotations

import re
from typing import Final

from tests.docs.pages import ROOT
from tests.test_architecture import DOOR, ORDER, imports, part_of

__all__ = ["PAGE", "drawn", "written"]

PAGE: Final = ROOT / "CONTRIBUTING.md"
_BLOCK: Final = re.compile(r"(?<=<!-- map -->\n```text\n).*?(?=```\n)", re.DOTALL)


def drawn() -> str:
    """The map: each folder whose order is held, its parts from the lowest to the highest, and what each imports."""
    return "\n".join(_folder(folder) for folder in ORDER)


def written() -> str:
    """The map as it stands in the page."""
    found = _BLOCK.search(PAGE.read_text("utf-8"))
    return found[0] if found is not None else ""


def _folder(folder: str) -> str:
    uses: dict[str, set[str]] = {}
    for module, names in imports().items():
        if module != folder and not module.startswith(f"{folder}."):
            continue
        part = uses.setdefault(part_of(module, folder), set())
        part |= {part_of(name, folder) for name in names if name.startswith(f"{folder}.") and name not in DOOR}
    shown = [part for part in ORDER[folder] if part in uses and not part.startswith("_")]
    width = max(map(len, shown))
    lines = [f"{folder.replace('.', '/')}/"]
    for part in shown:
        below = [other for other in shown if other in uses[part] - {part}]
        lines.append(f"  {part:{width}}  {'<- ' + ' '.join(below) if below else ''}".rstrip())
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(_BLOCK.sub(lambda _: drawn(), PAGE.read_text("utf-8")), "utf-8")
