"""The same call as code to copy: with curl and openssl, with this package, and with the JavaScript original."""

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
from .sending import FILE, environment_of, fault_options

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Declared

    from .served import ServedSandbox

__all__ = ["written"]


async def written(
    sandbox: ServedSandbox, declared: Declared, fields: Mapping[str, Any], fault: str = ""
) -> dict[str, str]:
    """``{"curl", "python", "javascript"}``, each a whole program for the files of the sandbox's home.

    ``fault`` is what shall go wrong, as in :func:`.sending.sent`. Raises Refusal for one that is none.
    """
    operation, options = declared.operation(), fault_options(fault)
    return {
        "curl": await curl(sandbox, declared, fields, options),
        "python": _python(operation, fields, options),
        "javascript": javascript(sandbox, operation, fields, options),
    }


def _python(operation: Operation, fields: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    arguments = [f"{_argument(name)}={literal(value, PYTHON)}," for name, value in fields.items() if _spellable(name)]
    others = {name: value for name, value in fields.items() if not _spellable(name)}
    if others:
        arguments.append(f"**{literal(others, PYTHON)},")
    arguments += [f'{name}="{FILE}",' for name in file_fields(operation)]
    arguments += [f"{name}={literal(value, PYTHON)}," for name, value in options.items()]
    inner = "\n".join(f"    {argument}".replace("\n", "\n    ") for argument in arguments)
    call = f"response = await wxpay.{dotted(operation)}(" + (f"\n{inner}\n)" if inner else ")")
    body = "\n".join(f"        {line}" for line in f"{call}\nprint(response.data)".split("\n"))
    environment = "".join(f', {name}="{value}"' for name, value in environment_of(operation).items())
    return (
        "import asyncio\n\nfrom wxpay_dsl import Wechatpay\n\n\nasync def main() -> None:\n"
        f'    async with Wechatpay(profile="wxpay.toml"{environment}) as wxpay:\n{body}\n\n\nasyncio.run(main())\n'
    )


def _spellable(name: str) -> bool:
    return name.isidentifier()


def _argument(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name
