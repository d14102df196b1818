"""``wxpay notify send``: one notification, signed, to a server on loopback."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from wxpay_dsl.cli.input.completion import complete_data, complete_event
from wxpay_dsl.cli.input.options import profile_option
from wxpay_dsl.cli.output.terminal import note, write_json

if TYPE_CHECKING:
    from wxpay_dsl.sandbox.domain.deliveries import Delivery
    from wxpay_dsl.sandbox.keys.identity import Merchant, PlatformKeyPair
    from wxpay_dsl.sandbox.state.state import Event

__all__ = ["send_notification"]

_HELP = """Send one notification, as the service would, to a server on loopback. 发送一条回调通知

EVENT is a declared one, such as TRANSACTION.SUCCESS or v2/transaction-success; its resource is the spec's example, with
what -p and -d say. It is signed with the keys of a sandbox's home: your server's profile is DIR/wxpay.toml.

\b
Examples:
  wxpay notify send TRANSACTION.SUCCESS --to http://127.0.0.1:8000/wxpay/notify --home sandbox
  wxpay notify send REFUND.SUCCESS --to http://127.0.0.1:8000/wxpay/notify -p out_refund_no=R1 -p amount.refund=1
  wxpay notify send TRANSACTION.SUCCESS --to http://127.0.0.1:8000/wxpay/notify --copies 20

Exit code 0 if your server said yes, 1 if it did not.
"""

#: Of a home that no sandbox serves yet: it writes its own when it starts.
_NOWHERE: Final = "http://127.0.0.1:18080"


@click.command(help=_HELP)
@click.argument("event", shell_complete=complete_event)
@click.option("--to", "url", metavar="URL", required=True, help="Where your server takes notifications.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="A sandbox's home, made if it is not there; else that of the profile's sandbox.",
)
@click.option("-d", "--data", metavar="JSON|@FILE|-", shell_complete=complete_data, help="The resource, whole.")
@click.option("-p", "--param", "parameters", metavar="KEY=VALUE", multiple=True, help="A field of the resource.")
@click.option("--copies", type=click.IntRange(1, 1000), default=1, metavar="N", help="Send it so often at once.")
@profile_option
def send_notification(
    event: str,
    url: str,
    home: Path | None,
    data: str | None,
    parameters: tuple[str, ...],
    copies: int,
    profile: Path | None,
) -> int:
    from wxpay_dsl.sandbox.notifications.sender import is_loopback

    if not is_loopback(url):
        raise click.UsageError(f"--to {url}: notifications are sent to a server on loopback only (http://127.0.0.1:…)")
    folder = _home(home, profile)
    merchant, pair = _identities(folder)
    made = _event(event, merchant.mchid, url, data, parameters)
    delivery = asyncio.run(_deliver(made, merchant, pair, copies))
    answers = [{"status": one.status, **({"fault": one.fault} if one.fault else {})} for one in delivery.attempts]
    accepted = any(not one.fault for one in delivery.attempts)
    write_json({"event": event, "id": delivery.id, "to": url, "accepted": accepted, "answers": answers})
    return 0 if accepted else 1


def _home(home: Path | None, profile: Path | None) -> Path:
    """The home that is named, or that of the sandbox whose files the profile names."""
    from wxpay_dsl.sandbox.keys import home as homes
    from wxpay_dsl.settings.settings import read_profile

    named = profile or os.environ.get("WXPAY_PROFILE")
    if home is None and named is not None:
        folder = Path(str(read_profile(named).get("private_key", named))).parent
        home = folder if (folder / homes.STATE).is_dir() else None
    if home is None:
        raise click.UsageError("whose keys sign it? Give --home DIR, a sandbox's home; DIR/wxpay.toml is your profile")
    return home


def _identities(folder: Path) -> tuple[Merchant, PlatformKeyPair]:
    """The merchant and the platform's key of a home; a new one is made where there is none."""
    from wxpay_dsl.sandbox.keys import home as homes
    from wxpay_dsl.sandbox.keys.identity import make_merchant, make_platform_certificate, make_platform_public_key

    found = homes.read(folder)
    if found is not None:
        return found[:2]
    merchant, pair = make_merchant(), make_platform_public_key()
    try:
        homes.write(folder, merchant, pair, make_platform_certificate(), _NOWHERE)
    except OSError as error:
        raise click.UsageError(f"--home {folder}: {error.strerror}") from None
    note(f"made {folder}: your server's profile is {folder / 'wxpay.toml'}")
    return merchant, pair


def _event(name: str, mchid: str, url: str, data: str | None, parameters: tuple[str, ...]) -> Event:
    from attrs import evolve

    from wxpay_dsl.cli.input.parameters import fields_within, read_data
    from wxpay_dsl.client import tree
    from wxpay_dsl.core.specs.grammar import nearest
    from wxpay_dsl.sandbox.notifications.render import example_event

    specs = tree([folder for folder in os.environ.get("WXPAY_SPECS", "").split(os.pathsep) if folder])
    declared = specs.event(name)
    if declared is None:
        raise click.UsageError(f"no spec declares a notification {name!r}{nearest(name, specs.event_names())}")
    made = example_event(declared, mchid, url)
    resource: Any = made.resource if data is None else read_data(data)
    if not isinstance(resource, Mapping):
        raise click.UsageError("-d: a resource is a JSON object")
    return evolve(made, resource=_merged(resource, fields_within(declared.resource or declared.body, parameters)))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` in ``below``, objects field by field."""
    merged = dict(below)
    for name, value in above.items():
        inner = merged.get(name)
        merged[name] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


async def _deliver(event: Event, merchant: Merchant, pair: PlatformKeyPair, copies: int) -> Delivery:
    from wxpay_dsl.sandbox.keys.platform import Platform
    from wxpay_dsl.sandbox.notifications.sender import DeliveryOptions, NotificationSender
    from wxpay_dsl.sandbox.state.state import State

    platform = Platform("public-key", pair, ())
    sender = NotificationSender(
        State(), platform, {merchant.mchid: merchant}, delivery_options=DeliveryOptions(copies=copies)
    )
    try:
        if sender.send(event) is None:
            raise click.UsageError(f"it cannot be sent to {event.notify_url}")
        await sender.wait_until_idle()
    finally:
        await sender.close()
    return sender.deliveries[0]
