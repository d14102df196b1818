"""A call for wechatpay-axios-plugin 0.9, the JavaScript original, which spells chains as this package does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from wxpay_dsl.core.chain.tree import kebab
from wxpay_dsl.core.request.forms import file_fields
from wxpay_dsl.core.specs.model import SECTIONS, Operation, Schema

from .description import keyword_of
from .literals import IDENTIFIER, JAVASCRIPT, literal
from .sending import client_settings

if TYPE_CHECKING:
    from .served import ServedSandbox

__all__ = ["javascript"]

#: The names of the merchant id in APIv2.
_MERCHANT: Final = ("mch_id", "mchid", "combine_mch_id")


def javascript(
    sandbox: ServedSandbox, operation: Operation, fields: Mapping[str, Any], options: Mapping[str, Any]
) -> str:
    """A complete program that uses the files of the sandbox's home; a comment if that SDK cannot make the call."""
    if file_fields(operation):
        return (
            "// 上传请看 wechatpay-axios-plugin 的文档；这里请用 Python。\n"
            "// For uploads see wechatpay-axios-plugin's own documentation; use Python here.\n"
        )
    if "v2_sandbox" in client_settings(operation):
        return (
            "// 仿真环境用换来的密钥签名；这里请用 Python。\n"
            "// A sandbox environment signs with a key that is exchanged first; use Python here.\n"
        )
    sections = _by_section(operation, fields)
    if operation.dialect == "v2" and operation.body is not None:
        own = next((name for name in _MERCHANT if name in operation.body.properties), "mch_id")
        # This package fills it in; the JavaScript original does not.
        sections["body"] = {own: sandbox.merchant.mchid, **sections["body"]}
    chain, bound = _chain_of(operation)
    config: dict[str, Any] = {**bound, **sections["path"]}
    if operation.mutual_tls:
        config["security"] = True  # sends the client certificate
    if sections["query"]:
        config["params"] = sections["query"]
    headers = {**sections["header"], **options.get("headers", {})}
    encrypts = _any_encrypted(operation.body, sections["body"])
    platform = sandbox.platform
    in_public_key_mode = platform.mode != "certificate"
    key_id = platform.public_key.id if in_public_key_mode else platform.certificates[-1].id
    key_file = "pub_key.pem" if in_public_key_mode else "platform_cert.pem"
    if operation.dialect != "v2":
        # It selects the key that the service signs with; without it, mode "both" signs with the certificate.
        headers["Wechatpay-Serial"] = key_id
    if headers:
        config["headers"] = headers
    sends = operation.verb in ("post", "put", "patch")
    arguments = []
    if sends:
        arguments.append(literal(sections["body"], JAVASCRIPT, operation.body))
    if config or not sends:
        arguments.append(literal(config, JAVASCRIPT))
    pair = "cert: readFileSync('apiclient_cert.pem'), key: readFileSync('apiclient_key.pem')"
    trusted = "用 NODE_EXTRA_CA_CERTS=ca.pem 运行 · run it with NODE_EXTRA_CA_CERTS=ca.pem"
    lines = [
        *([f"// {trusted}"] if sandbox.url.startswith("https:") else []),
        f"const {{ {'Rsa, ' if encrypts else ''}Wechatpay }} = require('wechatpay-axios-plugin')",
        "const { readFileSync } = require('node:fs')",
        "",
        f"const platform = readFileSync('{key_file}')",
        *(["const encrypt = (text) => Rsa.encrypt(text, platform)"] if encrypts else []),
        "const wxpay = new Wechatpay({",
        f"  baseURL: '{sandbox.url}',",
        f"  mchid: '{sandbox.merchant.mchid}',",
        f"  serial: '{sandbox.merchant.serial}',",
        "  privateKey: readFileSync('apiclient_key.pem'),",
        f"  certs: {{ '{key_id}': platform }},",
        *([f"  secret: '{sandbox.merchant.apiv2_key}',"] if operation.dialect == "v2" else []),
        *([f"  merchant: {{ {pair} }},"] if operation.mutual_tls else []),
        "})",
        "",
        f"wxpay.{chain}({', '.join(arguments)})",
        "  .then(({ data }) => console.log(data))",
        "  .catch(({ message, response }) => { console.error(message, response?.data); process.exitCode = 1 })",
    ]
    return "\n".join(lines) + "\n"


def _by_section(operation: Operation, fields: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields by section."""
    main = "query" if operation.verb in ("get", "delete") else "body"
    places = {
        keyword_of(section, name): (section, name)
        for section in SECTIONS
        if (schema := operation.section(section)) is not None
        for name in schema.properties
    }
    sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for name, value in fields.items():
        section, original_name = places.get(name, (main, name))
        sections[section][original_name] = value
    return sections


def _chain_of(operation: Operation) -> tuple[str, dict[str, str]]:
    """The chain, and the values of segments that a name cannot spell, since it would turn capitals into dashes."""
    chain, bound = "", {}
    for number, segment in enumerate(operation.chain):
        if segment.startswith("{"):
            chain += f".${segment[1:-1]}$"
        elif segment != segment.lower():
            chain += f".$segment{number}$"
            bound[f"segment{number}"] = segment
        else:
            name = re.sub(r"-([a-z])", lambda letter: letter[1].upper(), segment)
            chain += f".{name}" if IDENTIFIER.match(name) and kebab(name) == segment else f"['{segment}']"
    return f"{chain.removeprefix('.')}.{operation.verb}", bound


def _any_encrypted(schema: Schema | None, value: Any) -> bool:
    if schema is None:
        return False
    if schema.encrypted:
        return isinstance(value, str)
    if isinstance(value, dict):
        return any(_any_encrypted(schema.properties.get(name), item) for name, item in value.items())
    return isinstance(value, list) and any(_any_encrypted(schema.items, item) for item in value)
