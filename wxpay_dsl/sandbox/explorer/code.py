"""The same call as code to copy: with curl and openssl, with this package, and with the JavaScript original."""

from __future__ import annotations

import keyword
import re
import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from yarl import URL

from wxpay_dsl.core.errors import SdkError
from wxpay_dsl.core.files import File
from wxpay_dsl.core.forms import file_fields
from wxpay_dsl.core.model import SECTIONS, Operation, Schema
from wxpay_dsl.core.page import dotted
from wxpay_dsl.core.tree import kebab

from .description import keyword_of
from .sending import PICTURE, environment_of, fault_options, target_of, unknown

if TYPE_CHECKING:
    from wxpay_dsl.core.request import Request
    from wxpay_dsl.core.tree import Declared
    from wxpay_dsl.sandbox.server import Sandbox

__all__ = ["written"]

_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")
_FILE: Final = "image.png"
#: What APIv2 calls the merchant, here or there.
_MERCHANT: Final = ("mch_id", "mchid", "combine_mch_id")


async def written(sandbox: Sandbox, declared: Declared, fields: Mapping[str, Any], fault: str = "") -> dict[str, str]:
    """``{"curl", "python", "javascript"}``, each a whole program for the files of the sandbox's home.

    ``fault`` is what shall go wrong, as in :func:`.sending.sent`. Raises Refusal for one that is none.
    """
    operation, options = declared.operation(), fault_options(fault)
    return {
        "curl": await _curl(sandbox, declared, fields, options),
        "python": _python(operation, fields, options),
        "javascript": _javascript(sandbox, operation, fields, options),
    }


def _python(operation: Operation, fields: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    arguments = [f"{_argument(name)}={_literal(value, _PYTHON)}," for name, value in fields.items() if _spellable(name)]
    others = {name: value for name, value in fields.items() if not _spellable(name)}
    if others:
        arguments.append(f"**{_literal(others, _PYTHON)},")
    arguments += [f'{name}="{_FILE}",' for name in file_fields(operation)]
    arguments += [f"{name}={_literal(value, _PYTHON)}," for name, value in options.items()]
    inner = "\n".join(f"    {argument}".replace("\n", "\n    ") for argument in arguments)
    call = f"reply = await wxpay.{dotted(operation)}(" + (f"\n{inner}\n)" if inner else ")")
    body = "\n".join(f"        {line}" for line in f"{call}\nprint(reply.data)".split("\n"))
    environment = "".join(f', {name}="{value}"' for name, value in environment_of(operation).items())
    return (
        "import asyncio\n\nfrom wxpay_dsl import Wechatpay\n\n\nasync def main() -> None:\n"
        f'    async with Wechatpay(profile="wxpay.toml"{environment}) as wxpay:\n{body}\n\n\nasyncio.run(main())\n'
    )


def _spellable(name: str) -> bool:
    return name.isidentifier()


def _argument(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


async def _curl(sandbox: Sandbox, declared: Declared, fields: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """A shell script that signs with openssl. What only a client can do, encrypting and APIv2's sign, is done in it."""
    import base64

    from wxpay_dsl.client import Wechatpay

    operation = declared.operation()
    given = {**fields, **{name: File(base64.b64decode(PICTURE), _FILE) for name in file_fields(operation)}}
    async with Wechatpay(**sandbox.credentials, **environment_of(operation)) as client:
        try:
            strange = {name: given.pop(name) for name in unknown(operation, fields)}
            request = await client.client.prepare(
                target_of(declared), strange or None, {**given, **options, "validate": False}
            )
        except SdkError as error:
            return "".join(f"# {line}\n" for line in str(error).splitlines())
    if operation.family == "v2":
        return _curl_v2(request, operation)
    if operation.form is not None and set(operation.form.properties) - {"meta", *file_fields(operation)}:
        return "# 这个上传还有别的字段，请用 Python · this upload has other fields too: use Python\n"
    return _curl_v3(request, sandbox)


def _curl_v3(request: Request, sandbox: Sandbox) -> str:
    url = URL(request.url, encoded=True)
    merchant, names = sandbox.merchant, file_fields(request.operation)
    lines = [
        "# 在沙箱的 --home 目录里运行 · run it in the sandbox's --home",
        f"METHOD={request.method}",
        f"TARGET={shlex.quote(url.raw_path_qs)}",
        f"BODY={shlex.quote(request.signed_body.decode())}",
        "TIMESTAMP=$(date +%s)",
        "NONCE=$(openssl rand -hex 16)",
        'SIGNATURE=$(printf \'%s\\n%s\\n%s\\n%s\\n%s\\n\' "$METHOD" "$TARGET" "$TIMESTAMP" "$NONCE" "$BODY" |',
        "  openssl dgst -sha256 -sign apiclient_key.pem | openssl base64 -A)",
        f'AUTHORIZATION=\'WECHATPAY2-SHA256-RSA2048 mchid="{merchant.mchid}",serial_no="{merchant.serial}"\'',
        'AUTHORIZATION="$AUTHORIZATION,nonce_str=\\"$NONCE\\",timestamp=\\"$TIMESTAMP\\",signature=\\"$SIGNATURE\\""',
    ]
    options = ["-H 'Accept: application/json'", '-H "Authorization: $AUTHORIZATION"']
    serial = sandbox.platform.public_key.id
    if sandbox.platform.mode == "certificate":
        serial = sandbox.platform.certificates[-1].id
    options.append(f"-H {shlex.quote(f'Wechatpay-Serial: {serial}')}")
    options += _headers(request)
    if names:
        lines[1:1] = [
            f"# 签名的 meta 里有 {_FILE} 的摘要 · what is signed is meta, with the digest of {_FILE}",
            f"echo {PICTURE} | base64 -d > {_FILE}",
        ]
        options.append('-F "meta=$BODY;type=application/json"')
        options += [f"-F '{name}=@{_FILE};type=image/png'" for name in names]
    elif request.body:
        options += ["-H 'Content-Type: application/json'", '--data-binary "$BODY"']
    return "\n".join([*lines, _command(url, '-X "$METHOD"', options, "$TARGET")])


def _headers(request: Request) -> list[str]:
    """Those that are the operation's, or the caller's own."""
    return [
        f"-H {shlex.quote(f'{name}: {value}')}"
        for name, value in request.headers.items()
        if name.lower() not in ("accept", "authorization", "content-type", "wechatpay-serial")
    ]


def _command(url: URL, verb: str, options: list[str], target: str) -> str:
    trust = ["--cacert ca.pem"] if url.scheme == "https" else []
    return " \\\n  ".join([f'curl -sS {verb} "{url.origin()}{target}"', *trust, *options]) + "\n"


def _curl_v2(request: Request, operation: Operation) -> str:
    url = URL(request.url, encoded=True)
    options = ["--cert apiclient_cert.pem --key apiclient_key.pem"] if operation.mutual_tls else []
    options += _headers(request)
    target = url.raw_path_qs.replace("$", "\\$")
    if request.form is not None:
        return "# 上传的签名在表单里，请用 Python · the signature of an upload is in its form: use Python\n"
    note = "# sign 由客户端算好 · the client has made the sign\n"
    if not request.body:
        return note + _command(url, f"-X {request.method}", options, target)
    options += ["-H 'Content-Type: text/xml'", f"--data-binary {shlex.quote(request.body.decode())}"]
    return note + _command(url, f"-X {request.method}", options, target)


def _javascript(sandbox: Sandbox, operation: Operation, fields: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """For wechatpay-axios-plugin 0.9, which spells chains as this package does."""
    if file_fields(operation):
        return (
            "// 上传请看 wechatpay-axios-plugin 的文档；这里请用 Python。\n"
            "// For uploads see wechatpay-axios-plugin's own documentation; use Python here.\n"
        )
    if environment_of(operation):
        return (
            "// 仿真环境用换来的密钥签名；这里请用 Python。\n"
            "// A sandbox environment signs with a key that is exchanged first; use Python here.\n"
        )
    sections = _sorted(operation, fields)
    if operation.family == "v2" and operation.body is not None:
        own = next((name for name in _MERCHANT if name in operation.body.properties), "mch_id")
        # This package fills it in; the JavaScript original asks for it.
        sections["body"] = {own: sandbox.merchant.mchid, **sections["body"]}
    chain, bound = _javascript_chain(operation)
    config: dict[str, Any] = {**bound, **sections["path"]}
    if sections["query"]:
        config["params"] = sections["query"]
    headers = {**sections["header"], **options.get("headers", {})}
    sealed = _any_encrypted(operation.body, sections["body"])
    platform = sandbox.platform
    in_public_key_mode = platform.mode != "certificate"
    key_id = platform.public_key.id if in_public_key_mode else platform.certificates[-1].id
    key_file = "pub_key.pem" if in_public_key_mode else "platform_cert.pem"
    if operation.family != "v2":
        # It tells the service which key to sign with; without it, one that has both takes its certificate.
        headers["Wechatpay-Serial"] = key_id
    if headers:
        config["headers"] = headers
    sends = operation.verb in ("post", "put", "patch")
    arguments = []
    if sends:
        arguments.append(_literal(sections["body"], _JAVASCRIPT, operation.body))
    if config or not sends:
        arguments.append(_literal(config, _JAVASCRIPT))
    lines = [
        f"const {{ {'Rsa, ' if sealed else ''}Wechatpay }} = require('wechatpay-axios-plugin')",
        "const { readFileSync } = require('node:fs')",
        "",
        f"const platform = readFileSync('{key_file}')",
        *(["const encrypt = (text) => Rsa.encrypt(text, platform)"] if sealed else []),
        "const wxpay = new Wechatpay({",
        f"  baseURL: '{sandbox.url}',",
        f"  mchid: '{sandbox.merchant.mchid}',",
        f"  serial: '{sandbox.merchant.serial}',",
        "  privateKey: readFileSync('apiclient_key.pem'),",
        f"  certs: {{ '{key_id}': platform }},",
        *([f"  secret: '{sandbox.merchant.secret}',"] if operation.family == "v2" else []),
        "})",
        "",
        f"wxpay.{chain}({', '.join(arguments)})",
        "  .then(({ data }) => console.log(data))",
        "  .catch(({ message, response }) => { console.error(message, response?.data); process.exitCode = 1 })",
    ]
    return "\n".join(lines) + "\n"


def _sorted(operation: Operation, fields: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields by the section that each travels in."""
    main = "query" if operation.verb in ("get", "delete") else "body"
    places = {
        keyword_of(section, name): (section, name)
        for section in SECTIONS
        if (schema := operation.section(section)) is not None
        for name in schema.properties
    }
    found: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for name, value in fields.items():
        section, own = places.get(name, (main, name))
        found[section][own] = value
    return found


def _javascript_chain(operation: Operation) -> tuple[str, dict[str, str]]:
    """The chain, and what fills those of its segments that cannot be spelled there: capitals become dashes."""
    chain, bound = "", {}
    for number, segment in enumerate(operation.chain):
        if segment.startswith("{"):
            chain += f".${segment[1:-1]}$"
        elif segment != segment.lower():
            chain += f".$segment{number}$"
            bound[f"segment{number}"] = segment
        else:
            name = re.sub(r"-([a-z])", lambda letter: letter[1].upper(), segment)
            chain += f".{name}" if _IDENTIFIER.match(name) and kebab(name) == segment else f"['{segment}']"
    return f"{chain.removeprefix('.')}.{operation.verb}", bound


def _any_encrypted(schema: Schema | None, value: Any) -> bool:
    if schema is None:
        return False
    if schema.encrypted:
        return isinstance(value, str)
    if isinstance(value, dict):
        return any(_any_encrypted(schema.properties.get(name), item) for name, item in value.items())
    return isinstance(value, list) and any(_any_encrypted(schema.items, item) for item in value)


def _literal(value: Any, style: _Style, schema: Schema | None = None, depth: int = 0) -> str:
    """``value`` as source, objects and arrays over several lines where one is too short for them."""
    words, name_of, seals = style
    if isinstance(value, str):
        text = _quoted(value)
        return f"encrypt({text})" if seals and schema is not None and schema.encrypted else text
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, Mapping):
        properties = schema.properties if schema is not None else {}
        items = [
            f"{name_of(str(name))}: {_literal(item, style, properties.get(name), depth + 1)}"
            for name, item in value.items()
        ]
        return _bracketed("{", items, "}", depth)
    if isinstance(value, list):
        inner = schema.items if schema is not None else None
        return _bracketed("[", [_literal(item, style, inner, depth + 1) for item in value], "]", depth)
    return repr(value)


def _bracketed(opening: str, items: list[str], closing: str, depth: int) -> str:
    line = ", ".join(items)
    if len(line) + 4 * depth < 70 and "\n" not in line:
        return f"{opening}{line}{closing}"
    pad = "    " * (depth + 1)
    return "\n".join([opening, *(f"{pad}{item}," for item in items), "    " * depth + closing])


def _quoted(text: str) -> str:
    """A text in double quotes, as both languages take it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return '"' + re.sub(r"[\x00-\x1f\x7f\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'


#: How a language writes true, false and nothing, the name of a field, and whether it encrypts a text itself.
_Style = tuple[Mapping[Any, str], Callable[[str], str], bool]
_PYTHON: Final[_Style] = ({True: "True", False: "False", None: "None"}, _quoted, False)
_JAVASCRIPT: Final[_Style] = (
    {True: "true", False: "false", None: "null"},
    lambda name: name if _IDENTIFIER.match(name) else _quoted(name),
    True,
)
