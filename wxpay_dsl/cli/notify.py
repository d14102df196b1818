"""``wxpay notify``: sends a notification to a server under development, and explains one that does not verify."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .call import profile_option
from .lazy import LazyGroup

if TYPE_CHECKING:
    from wxpay_dsl.sandbox.delivery import Delivery
    from wxpay_dsl.sandbox.state import Event

__all__ = ["notify", "send", "verify"]

_HELP = """Send notifications to your own server, and explain those that fail. 回调通知"""

_SEND = """Send one notification, as the service would, to a server on loopback. 发送一条回调通知

EVENT is a declared one, such as TRANSACTION.SUCCESS or v2/transaction-success; its resource is the spec's example, with
what -p and -d say. It is signed with the keys of a sandbox's home: your server's profile is DIR/wxpay.toml.

\b
Examples:
  wxpay notify send TRANSACTION.SUCCESS --to http://127.0.0.1:8000/wxpay/notify --home sandbox
  wxpay notify send REFUND.SUCCESS --to http://127.0.0.1:8000/wxpay/notify -p out_refund_no=R1 -p amount.refund=1
  wxpay notify send TRANSACTION.SUCCESS --to http://127.0.0.1:8000/wxpay/notify --copies 20

Exit code 0 if your server said yes, 1 if it did not.
"""

_VERIFY = """Explain, step by step, why a notification does or does not verify. 排查验签失败

--headers is a file of the headers as they came, a line each (or a JSON object); --body the raw body, byte by byte.

\b
Example:
  wxpay notify verify --headers headers.txt --body body.json --profile wxpay.toml

Exit code 0 if it verifies, 6 if it does not.
"""

notify = LazyGroup("notify", {"send": "notify:send", "verify": "notify:verify"}, help=_HELP)


@click.command(help=_SEND)
@click.argument("event")
@click.option("--to", "url", metavar="URL", required=True, help="Where your server takes notifications.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="A sandbox's home, made if it is not there; else the folder of the profile.",
)
@click.option("-d", "--data", metavar="JSON|@FILE|-", help="The resource, whole.")
@click.option("-p", "--param", "parameters", metavar="KEY=VALUE", multiple=True, help="A field of the resource.")
@click.option("--copies", type=click.IntRange(1, 1000), default=1, metavar="N", help="Send it so often at once.")
@profile_option
def send(
    event: str,
    url: str,
    home: Path | None,
    data: str | None,
    parameters: tuple[str, ...],
    copies: int,
    profile: Path | None,
) -> int:
    from wxpay_dsl.sandbox.delivery import is_loopback
    from wxpay_dsl.sandbox.home import identities

    from .terminal import write_json

    if not is_loopback(url):
        raise click.UsageError(f"--to {url}: notifications are sent to a server on loopback only (http://127.0.0.1:…)")
    folder = _home(home, profile)
    merchant, pair = identities(folder)
    made = _event(event, merchant.mchid, url, data, parameters)
    delivery = asyncio.run(_deliver(made, merchant, pair, copies))
    answers = [{"status": one.status, **({"fault": one.fault} if one.fault else {})} for one in delivery.attempts]
    accepted = any(not one.fault for one in delivery.attempts)
    write_json({"event": event, "id": delivery.notice.id, "to": url, "accepted": accepted, "answers": answers})
    return 0 if accepted else 1


def _home(home: Path | None, profile: Path | None) -> Path:
    import os

    from wxpay_dsl.sandbox import home as homes

    named = profile or os.environ.get("WXPAY_PROFILE")
    if home is None and named is not None:
        folder = Path(named).resolve().parent
        if (folder / homes.STATE).is_dir():
            return folder
    if home is None:
        raise click.UsageError("whose keys sign it? Give --home DIR, a sandbox's home; DIR/wxpay.toml is your profile")
    return home


def _event(name: str, mchid: str, url: str, data: str | None, parameters: tuple[str, ...]) -> Event:
    from attrs import evolve

    from wxpay_dsl.client import tree
    from wxpay_dsl.core.grammar import nearest
    from wxpay_dsl.sandbox.notices import example_event

    from .parameters import fields_within, read_data

    specs = tree([folder for folder in os.environ.get("WXPAY_SPECS", "").split(os.pathsep) if folder])
    declared = specs.event(name)
    if declared is None:
        raise click.UsageError(f"no spec declares a notification {name!r}{nearest(name, specs.event_names())}")
    made = example_event(declared, mchid, url)
    resource = made.resource if data is None else read_data(data)
    if not isinstance(resource, Mapping):
        raise click.UsageError("-d: a resource is a JSON object")
    return evolve(made, resource=_merged(resource, fields_within(declared.resource or declared.body, parameters)))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` in ``below``, objects field by field."""
    merged = dict(below)
    for name, value in above.items():
        inner = merged.get(name)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(inner, value) if both else value
    return merged


async def _deliver(event: Event, merchant: Merchant, pair: PlatformKeyPair, copies: int) -> Delivery:
    from wxpay_dsl.sandbox.delivery import Courier, Manner
    from wxpay_dsl.sandbox.platform import Platform

    courier = Courier(Platform("public-key", pair, ()), {merchant.mchid: merchant}, manner=Manner(copies=copies))
    try:
        delivery = courier.send(event)
        if delivery is None:
            raise click.UsageError(f"it cannot be sent to {event.notify_url}")
        await courier.settle()
    finally:
        await courier.close()
    return delivery


@click.command(help=_VERIFY)
@click.option("--headers", "headers_file", metavar="FILE", type=_FILE, required=True, help="The headers as they came.")
@click.option("--body", "body_file", metavar="FILE", type=_FILE, required=True, help="The raw body, byte by byte.")
@profile_option
def verify(headers_file: Path, body_file: Path, profile: Path | None) -> int:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.notify.diagnosis import diagnose_v2, diagnose_v3
    from wxpay_dsl.wechat.notification_answers import family_of

    from .terminal import stdout

    client = Wechatpay(profile=profile)
    recipient, body = client.recipient, _read(body_file)
    if family_of(body) == "v2":
        steps = list(diagnose_v2(body, recipient))
    else:
        keys = {key.id: key for key in client.settings.keys}
        steps = list(diagnose_v3(read_headers(_read(headers_file)), body, recipient, keys, time.time()))
    for step in steps:
        mark = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[dim]·[/]"}[step.good]
        stdout().print(f"{mark} [bold]{step.title:9}[/] {escape(step.text)}", soft_wrap=True)
    return 0 if all(step.good is not False for step in steps) else 6


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from None


def read_headers(raw: bytes) -> dict[str, str]:
    """The headers in a file: a JSON object, or lines of ``Name: value``, those of a request line left out.

    Raises UsageError.
    """
    text = raw.decode("utf-8-sig", "replace")
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise click.UsageError(f"--headers is not JSON: {error}") from None
        return {str(name): value if isinstance(value, str) else str(value) for name, value in found.items()}
    headers = {}
    for line in text.splitlines():
        # `> ` and `< ` are how curl shows a header.
        name, colon, value = line.removeprefix("> ").removeprefix("< ").partition(":")
        if colon and name.strip() and " " not in name.strip():
            headers[name.strip()] = value.strip()
    if not headers:
        raise click.UsageError("--headers holds no line `Name: value`")
    return headers
