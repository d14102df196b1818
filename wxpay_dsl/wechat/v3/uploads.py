"""Fills in the part ``meta`` of APIv3 uploads, which describes the file and is signed instead of the body.

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

#: The name of the part that describes the file.
META: Final = "meta"

#: The fields of ``meta`` in most operations; the others declare them by the example in their spec.
_DEFAULT_FIELDS: Final = ("filename", "sha256")
#: The names of the SHA-256; brands' member cards have the second.
_SHA256: Final = ("sha256", "file_digest")
#: The misspelled name that two operations officially have, and the correct one.
_ALGORITHM_FIELDS: Final = ("digest_alogrithm", "digest_algorithm")


async def prepare_files(
    operation: Operation | None, fields: dict[str, Any], field_errors: list[FieldError]
) -> dict[str, Any]:
    """A copy of ``fields`` with ``meta`` as JSON text: the caller's fields, completed by those of the file.

    A ``meta`` that is already text stays unchanged. Problems are added to ``field_errors``.
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
    for name, value in (await _describe_file(operation, file)).items():
        meta.setdefault(name, value)
    try:
        text = json.dumps(meta, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = "holds half a character (a lone surrogate)" if isinstance(error, UnicodeEncodeError) else str(error)
        field_errors.append(FieldError(f"form.{META}", f"cannot be written as JSON: {reason}"))
        text = ""
    return {**fields, META: text}


async def _describe_file(operation: Operation | None, file: Upload) -> dict[str, str]:
    """The fields of ``meta`` that the operation requires, in the order of its example."""
    example = _example(operation)
    described = {}
    for name in example or _DEFAULT_FIELDS:
        if name == "filename":
            described[name] = file.name
        elif name in _SHA256:
            described[name] = file.sha256
        elif name == "file_type":
            described[name] = file.name.rpartition(".")[2].upper()
        elif name in _ALGORITHM_FIELDS:
            described[name] = example[name]
        elif name == "digest":
            algorithm = next((example[each] for each in _ALGORITHM_FIELDS if each in example), "SHA256")
            described[name] = await file.digest(algorithm.rpartition("_")[2])  # one operation has DIGEST_ALGORITHM_SM3
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
    """Uploads the file ``given`` to the node ``to``, or, without one, to the endpoint for images or for videos.

    Raises ValidationError for a file that cannot be read.
    """
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
