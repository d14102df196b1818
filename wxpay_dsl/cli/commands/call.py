"""``wxpay call``: calls one endpoint and prints the data of its response as JSON."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wxpay_dsl.cli.input.chain_text import target_of
from wxpay_dsl.cli.input.completion import complete_chain, complete_data, complete_field
from wxpay_dsl.cli.input.options import json_option, profile_option

if TYPE_CHECKING:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.core.chain.node import Target
    from wxpay_dsl.core.response import Response
    from wxpay_dsl.core.specs.model import Operation

__all__ = ["call"]

_HELP = """Call one endpoint and print its response as JSON. 调用一个接口

CHAIN.VERB is written as in Python: v3.eduPapay.contracts.presign.post. A path parameter is given by -p, or as a
literal segment: 'v3.pay.transactions.id["4200000001"].get'. Data goes to stdout, everything else to stderr. On a
terminal, without -d, it prompts for the required fields that -p does not give.

\b
Examples:
  wxpay call v3.eduPapay.contracts.presign.post -d @presign.json --profile wxpay.toml
  wxpay call v3.pay.transactions.outTradeNo._out_trade_no_.get -p out_trade_no=1217752501 -p mchid=1900000109
  wxpay call v3.pay.transactions.native.post -d @order.json -p amount.total=100
  wxpay call v3.merchant.media.upload.post -p file=@license.png
  echo '{"plan_id": "…"}' | wxpay call v3.my.thing.post -d -
"""


@click.command(help=_HELP)
@click.argument("chain", metavar="CHAIN.VERB", shell_complete=complete_chain)
@click.option(
    "-d",
    "--data",
    metavar="JSON|@FILE|-",
    shell_complete=complete_data,
    help="The body (the query, of GET and DELETE).",
)
@click.option(
    "-p",
    "--param",
    "parameters",
    metavar="KEY=VALUE",
    multiple=True,
    shell_complete=complete_field,
    help="A field by name, of the path, query, header or body; amount.total=1 is a field of an object.",
)
@profile_option
@click.option("--timeout", metavar="S", type=click.FloatRange(0, min_open=True), help="Seconds for the whole call.")
@click.option(
    "--validate",
    type=click.Choice(["strict", "on", "off"]),
    help="strict: refuse whatever differs from the spec; off: send without checks.",
)
@click.option(
    "--undeclared", is_flag=True, help="Send to an undeclared path similar to a declared one that encrypts fields."
)
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write the data to this file."
)
@click.option("-v", "--verbose", is_flag=True, help="Show the signed message, the request and the response on stderr.")
@json_option
def call(
    chain: str,
    data: str | None,
    parameters: tuple[str, ...],
    profile: Path | None,
    timeout: float | None,
    validate: str | None,
    undeclared: bool,  # noqa: FBT001 (a flag of the command line)
    out: Path | None,
    verbose: bool,  # noqa: FBT001 (a flag of the command line)
    as_json: bool,  # noqa: FBT001 (likewise)
) -> None:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.cli.input.parameters import fields_of, read_data
    from wxpay_dsl.cli.input.prompts import ask, is_interactive
    from wxpay_dsl.cli.output.file_conflicts import check_file_conflicts, input_files

    check_file_conflicts([("--out", out)], input_files(profile, data, parameters))
    client = Wechatpay(profile=profile)
    target = target_of(client, chain)
    operation = target.declared.operation() if target.declared is not None else None
    read = None if data is None else read_data(data)
    fields, loose = fields_of(target, operation, parameters)
    if operation is not None and data != "-" and is_interactive():
        # -d is a whole body: a field that it lacks is not prompted for.
        prompted = ask(operation, {**target.bound, **fields}) if read is None else []
        fields, loose = fields_of(target, operation, [*parameters, *prompted])
    given = _with_loose(read, loose)
    if timeout is not None:
        fields["timeout"] = timeout
    if validate is not None:
        fields["validate"] = {"strict": "strict", "on": True, "off": False}[validate]
    if undeclared:
        fields["undeclared"] = True
    response = asyncio.run(_call(client, target, given, fields, operation))
    if verbose:
        from wxpay_dsl.cli.output.exchange_view import show
        from wxpay_dsl.cli.output.terminal import stderr

        show(stderr(), response.exchange)
    _write_data(response, out, as_json=as_json)


def _with_loose(data: Any, loose: Mapping[str, Any]) -> Any:
    if not loose:
        return data
    if data is not None and not isinstance(data, dict):
        raise click.UsageError(f"-p {next(iter(loose))}=… adds a field to -d, which is not a JSON object")
    for name in loose:
        if data is not None and name in data:
            raise click.UsageError(f"{name} is given twice, by -d and by -p")
    return {**(data or {}), **loose}


async def _call(
    client: Wechatpay, target: Target, data: Any, fields: Mapping[str, Any], operation: Operation | None
) -> Response[Any]:
    from wxpay_dsl.cli.output.upload_bar import with_progress

    async with client, with_progress(operation, fields) as given:
        return await client.call(target, data, given)


def _write_data(response: Response[Any], out: Path | None, *, as_json: bool) -> None:
    from wxpay_dsl.cli.output.terminal import json_bytes, note, write_json
    from wxpay_dsl.core.files.atomic_write import write_atomically

    data = response.data
    raw = data if isinstance(data, bytes) else None
    if out is not None:
        content = json_bytes(data, indent=2) + b"\n" if raw is None else raw
        try:
            # Readable by the owner only: a response may name payers, or hold a key.
            write_atomically(out, content, private=True)
        except OSError as error:
            raise click.UsageError(f"--out {out}: {error.strerror}") from None
        if as_json:
            write_json({"out": str(out), "bytes": len(content)})
        else:
            note(f"{len(content)} bytes in {out}")
    elif raw is None:
        write_json(data)
    elif sys.stdout.isatty() or as_json:
        kind = response.headers.get("Content-Type", "no media type")
        raise click.UsageError(f"the response is {len(raw)} bytes of {kind}: give --out FILE, or redirect the output")
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(raw)
        sys.stdout.buffer.flush()
