"""A call as code to copy: for curl and openssl, for this package, and for the JavaScript original."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wxpay_dsl.core.chain.describe import dotted
from wxpay_dsl.core.request.forms import file_fields
from wxpay_dsl.core.specs.model import Operation

from .curl import curl
from .javascript import javascript
from .literals import PYTHON, literal
from .sending import FILE, client_settings, fault_options

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Declared

    from .served import ServedSandbox

__all__ = ["code_of"]


async def code_of(
    sandbox: ServedSandbox, declared: Declared, fields: Mapping[str, Any], fault: str = ""
) -> dict[str, str]:
    """``{"curl", "python", "javascript"}``: complete programs that use the files of the sandbox's home.

    ``fault``: a fault to inject, as in :func:`.sending.send`. Raises Refusal for an unknown one.
    """
    operation, options = declared.operation(), fault_options(fault)
    return {
        "curl": await curl(sandbox, declared, fields, options),
        "python": _python(operation, fields, options),
        "javascript": javascript(sandbox, operation, fields, options),
    }


def _python(operation: Operation, fields: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    arguments = [
        f"{_argument(name)}={literal(value, PYTHON)}," for name, value in fields.items() if _is_keyword_argument(name)
    ]
    extra = {name: value for name, value in fields.items() if not _is_keyword_argument(name)}
    if extra:
        arguments.append(f"**{literal(extra, PYTHON)},")
    arguments += [f'{name}="{FILE}",' for name in file_fields(operation)]
    arguments += [f"{name}={literal(value, PYTHON)}," for name, value in options.items()]
    inner = "\n".join(f"    {argument}".replace("\n", "\n    ") for argument in arguments)
    call = f"response = await wxpay.{dotted(operation)}(" + (f"\n{inner}\n)" if inner else ")")
    body = "\n".join(f"        {line}" for line in f"{call}\nprint(response.data)".split("\n"))
    settings = "".join(f', {name}="{value}"' for name, value in client_settings(operation).items())
    return (
        "import asyncio\n\nfrom wxpay_dsl import Wechatpay\n\n\nasync def main() -> None:\n"
        f'    async with Wechatpay(profile="wxpay.toml"{settings}) as wxpay:\n{body}\n\n\nasyncio.run(main())\n'
    )


def _is_keyword_argument(name: str) -> bool:
    return name.isidentifier()


def _argument(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name
