"""What an upload of APIv3 says about its file: the part ``meta``, which is signed in the body's place.

https://pay.weixin.qq.com/doc/v3/merchant/4012761101
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from wxpay_dsl.core.errors import FieldError, ValidationError
from wxpay_dsl.core.request.files import File, Upload, prepare
from wxpay_dsl.core.specs.model import ABSENT

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.node import Node
    from wxpay_dsl.core.response import Response
    from wxpay_dsl.core.specs.model import Operation

__all__ = ["META", "prepare_files", "upload"]

#: The part that describes the file.
META: Final = "meta"

#: What most operations want to know of a file; those that want something else say so in the example of their spec.
_USUAL: Final = ("filename", "sha256")
#: The name that brands' member cards have for it is the second.
_SHA256: Final = ("sha256", "file_digest")
#: The official spelling of two operations, and the right one.
_ALGORITHM: Final = ("digest_alogrithm", "digest_algorithm")


async def prepare_files(
    operation: Operation | None, fields: dict[str, Any], field_errors: list[FieldError]
) -> dict[str, Any]:
    """``fields`` with ``meta`` as the JSON text that is signed and sent: what the caller said, completed by the file.

    A caller's ``meta`` that is text already stays as it is, byte for byte.
    """
    file = next((value for value in fields.values() if isinstance(value, Upload)), None)
    given = fields.get(META, {})
    if file is None or isinstance(given, str):
        return fields
    if not isinstance(given, Mapping):
        field_errors.append(
            FieldError(f"form.{META}", f"expected an object of fields, or its JSON text, got {type(given).__name__}")
        )
        return {**fields, META: ""}
    meta = dict(given)
    for name, value in (await _described(operation, file)).items():
        meta.setdefault(name, value)
    try:
        text = json.dumps(meta, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = "holds half a character" if isinstance(error, UnicodeEncodeError) else str(error)
        field_errors.append(FieldError(f"form.{META}", f"cannot be written as JSON: {reason}"))
        text = ""
    return {**fields, META: text}


async def _described(operation: Operation | None, file: Upload) -> dict[str, str]:
    """What the operation wants to know of the file, in the order of its example."""
    example = _example(operation)
    described = {}
    for name in example or _USUAL:
        if name == "filename":
            described[name] = file.name
        elif name in _SHA256:
            described[name] = file.sha256
        elif name == "file_type":
            described[name] = file.name.rpartition(".")[2].upper()
        elif name in _ALGORITHM:
            described[name] = example[name]
        elif name == "digest":
            algorithm = next((example[known] for known in _ALGORITHM if known in example), "SHA256")
            described[name] = await file.digest(algorithm.rpartition("_")[2])  # DIGEST_ALGORITHM_SM3 in one of them
    return described


def _example(operation: Operation | None) -> dict[str, Any]:
    form = operation.form if operation is not None else None
    schema = form.properties.get(META) if form is not None else None
    if schema is None or schema.example is ABSENT:
        return {}
    example = json.loads(schema.example)
    return example if isinstance(example, dict) else {}


async def upload(
    root: Node, given: Any, to: Any, *, name: str | None, content_type: str | None, fields: Mapping[str, Any]
) -> Response[Any]:
    """Calls ``to``, or the endpoint of images or of videos, with a file. Raises ValidationError."""
    file = given
    if name is not None or content_type is not None:
        file = (
            File(given.content, name or given.name, content_type or given.content_type)
            if isinstance(given, File)
            else File(given, name, content_type)
        )
    if to is None:
        field_errors: list[FieldError] = []
        file = await prepare(file, field_errors, "file")
        if file is None:
            raise ValidationError("upload", tuple(field_errors))
        media = root.v3.merchant.media
        to = media.video_upload if file.content_type.startswith("video/") else media.upload
    response: Response[Any] = await to(file, **fields)
    return response
