"""``wxpay notify send``: sends one signed notification to a server on loopback."""

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

EVENT is a declared one, such as TRANSACTION.SUCCESS or v2/transaction-success; its resource is the spec's example,
changed by -p or replaced by -d. It is signed with the keys of a sandbox's home: your server uses DIR/wxpay.toml.

\b
Examples:
  wxpay notify send TRANSACTION.SUCCESS --to http://127.0.0.1:8000/wxpay/notify --home sandbox
  wxpay notify send REFUND.SUCCESS --to http://127.0.0.1:8000/wxpay/notify -p out_refund_no=R1 -p amount.refund=1
  wxpay notify send TRANSACTION.SUCCESS --to http://127.0.0.1:8000/wxpay/notify --copies 20

Exit code 0 if your server accepted it, 1 if it did not.
"""

#: The base_url of a new home, until a sandbox starts there and writes its own.
_UNUSED_URL: Final = "http://127.0.0.1:18080"


@click.command(help=_HELP)
@click.argument("event", shell_complete=complete_event)
@click.option("--to", "url", metavar="URL", required=True, help="The URL at which your server receives notifications.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="A sandbox's home, created if missing; by default that of the profile's sandbox.",
)
@click.option("-d", "--data", metavar="JSON|@FILE|-", shell_complete=complete_data, help="The whole resource.")
@click.option("-p", "--param", "parameters", metavar="KEY=VALUE", multiple=True, help="A field of the resource.")
@click.option(
    "--copies", type=click.IntRange(1, 1000), default=1, metavar="N", help="Number of copies, sent at the same time."
)
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
    filled = _event(event, merchant.mchid, url, data, parameters)
    delivery = asyncio.run(_deliver(filled, merchant, pair, copies))
    attempts = [{"status": one.status, **({"fault": one.fault} if one.fault else {})} for one in delivery.attempts]
    accepted = any(not one.fault for one in delivery.attempts)
    write_json({"event": event, "id": delivery.id, "to": url, "accepted": accepted, "attempts": attempts})
    return 0 if accepted else 1


def _home(home: Path | None, profile: Path | None) -> Path:
    """The folder of ``--home``, or the sandbox's home that holds the private key of the profile. Raises UsageError."""
    from wxpay_dsl.sandbox.keys import home as homes
    from wxpay_dsl.settings.settings import read_profile

    named = profile or os.environ.get("WXPAY_PROFILE")
    if home is None and named is not None:
        folder = Path(str(read_profile(named).get("private_key", named))).parent
        home = folder if (folder / homes.STATE).is_dir() else None
    if home is None:
        raise click.UsageError(
            "which keys sign the notification? Give --home DIR, a sandbox's home; DIR/wxpay.toml is your profile"
        )
    return home


def _identities(folder: Path) -> tuple[Merchant, PlatformKeyPair]:
    """The merchant and the platform key of a home, which is created if it does not exist."""
    from wxpay_dsl.sandbox.keys import home as homes
    from wxpay_dsl.sandbox.keys.identity import make_merchant, make_platform_certificate, make_platform_public_key

    existing = homes.read(folder)
    if existing is not None:
        return existing[:2]
    merchant, pair = make_merchant(), make_platform_public_key()
    try:
        homes.write(folder, merchant, pair, make_platform_certificate(), _UNUSED_URL)
    except OSError as error:
        raise click.UsageError(f"--home {folder}: {error.strerror}") from None
    note(f"created {folder}: your server's profile is {folder / 'wxpay.toml'}")
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
    event = example_event(declared, mchid, url)
    resource: Any = event.resource if data is None else read_data(data)
    if not isinstance(resource, Mapping):
        raise click.UsageError("-d: the resource must be a JSON object")
    return evolve(event, resource=_merged(resource, fields_within(declared.resource or declared.body, parameters)))


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes``; objects are merged field by field."""
    merged = dict(base)
    for name, value in changes.items():
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
            raise click.UsageError(f"the notification cannot be sent to {event.notify_url}")
        await sender.wait_until_idle()
    finally:
        await sender.close()
    return sender.deliveries[0]
