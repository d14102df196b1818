"""``wxpay spec import`` and ``wxpay spec export``: converts OpenAPI documents to specs, and specs to a document."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from wxpay_dsl.cli.input.options import json_option

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["export_document", "import_document"]

_IMPORT: Final = """Write specs from an OpenAPI 3.x document, JSON or YAML. 导入 OpenAPI 文档

What a spec cannot express is listed on stderr.

\b
Examples:
  wxpay spec import openapi.json --into my-specs
  wxpay spec check my-specs
"""

_EXPORT: Final = """Write an OpenAPI 3.1 document of all endpoints, your own in WXPAY_SPECS included. 导出 OpenAPI 文档

\b
Examples:
  wxpay spec export --openapi wechatpay.openapi.json
  wxpay spec export --openapi - | jq '.paths | keys'
"""

#: The media type of bodies by dialect, where it is not JSON.
_MEDIA_TYPES: Final = {"v2": "application/xml"}


@click.command("import", help=_IMPORT)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--into",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("specs"),
    show_default=True,
    help="The folder to write.",
)
@click.option("--force", is_flag=True, help="Replace existing files.")
@json_option
def import_document(
    file: Path,
    into: Path,
    force: bool,  # noqa: FBT001 (flags of the command line)
    as_json: bool,  # noqa: FBT001
) -> None:
    from wxpay_dsl.cli.output.terminal import note, write_json
    from wxpay_dsl.client import SPECS
    from wxpay_dsl.core.files.atomic_write import write_atomically
    from wxpay_dsl.core.openapi import parse, read_document
    from wxpay_dsl.wechat.chains import BASE_URL, DEFAULT

    try:
        document = parse(file.read_bytes(), str(file))
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from None
    imported = read_document(document, dialect=DEFAULT, host=BASE_URL, media_types=_MEDIA_TYPES)
    existing = [name for name in imported.files if (into / name).exists()]
    if existing and not force:
        raise click.UsageError(f"{into / existing[0]} already exists: --force replaces it")
    files = dict(imported.files)
    if not (into / "spec.schema.json").exists():
        # The first line of each file refers editors to the schema.
        files["spec.schema.json"] = Path(SPECS, "spec.schema.json").read_text("utf-8")
    try:
        for name, text in files.items():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(into / name, text.encode(), private=False)
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from None
    if as_json:
        lost = [{"place": each.place, "what": each.what} for each in imported.lost]
        write_json({"into": str(into), "files": sorted(imported.files), "lost": lost})
        return
    for each in imported.lost:
        note(f"lost: {each}")
    note(f"{len(imported.files)} files in {into}; `wxpay spec check {into}` checks them")


@click.command("export", help=_EXPORT)
@click.option(
    "--openapi", "out", metavar="FILE", required=True, help="JSON, or YAML if it ends in .yaml; - is stdout, as JSON."
)
@json_option
def export_document(out: str, as_json: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    from wxpay_dsl import __version__, wxpay
    from wxpay_dsl.cli.output.terminal import json_bytes, note, write_json
    from wxpay_dsl.core.files.atomic_write import write_atomically
    from wxpay_dsl.core.openapi import write_document
    from wxpay_dsl.wechat.chains import BASE_URL

    tree = wxpay.tree
    events = [event for name in tree.event_names() if (event := tree.event(name)) is not None]
    info = {"title": "微信支付 WeChat Pay", "version": __version__}
    document = write_document(tree.operations(), events, info, host=BASE_URL, media_types=_MEDIA_TYPES)
    if out == "-":
        sys.stdout.buffer.write(json_bytes(document, indent=2) + b"\n")
        return
    text = _yaml(document) if out.endswith((".yaml", ".yml")) else json_bytes(document, indent=2) + b"\n"
    try:
        write_atomically(Path(out), text, private=False)
    except OSError as error:
        raise click.UsageError(f"{out}: {error.strerror}") from None
    if as_json:
        write_json({"out": out, "paths": len(document["paths"]), "events": len(events)})
    else:
        note(f"{len(document['paths'])} paths, {len(events)} events in {out}")


def _yaml(document: Mapping[str, Any]) -> bytes:
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(document, Dumper=dumper, allow_unicode=True, sort_keys=False, width=120)
    return text.encode()
