"""A call as a shell script of curl and openssl."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from yarl import URL

from wxpay_dsl.core.errors import SdkError
from wxpay_dsl.core.request.files import File
from wxpay_dsl.core.request.forms import file_fields
from wxpay_dsl.core.specs.model import Operation

from .sending import FILE, PICTURE, client_settings, target_of, unknown_names

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Declared
    from wxpay_dsl.core.messages import Request

    from .served import ServedSandbox

__all__ = ["curl"]


async def curl(
    sandbox: ServedSandbox, declared: Declared, fields: Mapping[str, Any], options: Mapping[str, Any]
) -> str:
    """A shell script that signs with openssl. Encrypted fields and the ``sign`` of APIv2 are computed beforehand."""
    from wxpay_dsl.client import Wechatpay

    operation = declared.operation()
    given = {**fields, **{name: File(base64.b64decode(PICTURE), FILE) for name in file_fields(operation)}}
    async with Wechatpay(**sandbox.credentials, **client_settings(operation)) as client:
        try:
            extra = {name: given.pop(name) for name in unknown_names(operation, fields)}
            request = await client.client.prepare(
                target_of(declared), extra or None, {**given, **options, "validate": False}
            )
        except SdkError as error:
            return "".join(f"# {line}\n" for line in str(error).splitlines())
    if operation.dialect == "v2":
        return _curl_v2(request, operation)
    if operation.form is not None and set(operation.form.properties) - {"meta", *file_fields(operation)}:
        return "# 这个上传还有别的字段，请用 Python · this upload has other fields too: use Python\n"
    return _curl_v3(request, sandbox)


def _curl_v3(request: Request, sandbox: ServedSandbox) -> str:
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
            f"# 签名的 meta 里有 {FILE} 的摘要 · what is signed is meta, with the digest of {FILE}",
            f"echo {PICTURE} | base64 -d > {FILE}",
        ]
        options.append('-F "meta=$BODY;type=application/json"')
        options += [f"-F '{name}=@{FILE};type=image/png'" for name in names]
    elif request.body:
        options += ["-H 'Content-Type: application/json'", '--data-binary "$BODY"']
    return "\n".join([*lines, _command(url, '-X "$METHOD"', options, "$TARGET")])


def _headers(request: Request) -> list[str]:
    """The headers of the operation and of the caller, as options of curl."""
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
    note = "# sign 由客户端算好 · the client has computed the sign\n"
    if not request.body:
        return note + _command(url, f"-X {request.method}", options, target)
    options += ["-H 'Content-Type: text/xml'", f"--data-binary {shlex.quote(request.body.decode())}"]
    return note + _command(url, f"-X {request.method}", options, target)
