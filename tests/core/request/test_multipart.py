"""Forms, byte for byte: every field arrives unchanged, no value can become a header, the length is known in advance."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.core.errors import FieldError
from wxpay_dsl.core.request.files import File, media_type_of, prepare
from wxpay_dsl.core.request.multipart import encode
from wxpay_dsl.core.specs.model import Schema

SCHEMA = Schema(
    type="object",
    properties={
        "file": Schema(format="binary"),
        "meta": Schema(media_type="application/json"),
        "number": Schema(type="integer"),
    },
)


async def body(fields: dict[str, Any], schema: Schema | None = SCHEMA) -> bytes:
    faults: list[FieldError] = []
    made = {
        name: await prepare(value, faults, name) if isinstance(value, File) else value for name, value in fields.items()
    }
    form = encode(schema, made, b"", faults, boundary="B")
    assert form is not None, faults
    data = b"".join([chunk async for chunk in form.chunks()])
    assert len(data) == form.size
    assert b"".join([chunk async for chunk in form.chunks()]) == data
    return data


async def test_a_form_to_the_byte() -> None:
    file = File(b"\x89PNG", '营业"执照.png')
    assert await body({"file": file, "number": 5, "meta": {"sha256": "微"}, "more": True}) == (
        b'--B\r\nContent-Disposition: form-data; name="meta"\r\nContent-Type: application/json\r\n\r\n'
        + '{"sha256":"微"}'.encode()
        + b'\r\n--B\r\nContent-Disposition: form-data; name="number"\r\n\r\n5'
        + b'\r\n--B\r\nContent-Disposition: form-data; name="more"\r\n\r\ntrue'
        + '\r\n--B\r\nContent-Disposition: form-data; name="file"; filename="营业%22执照.png"'.encode()
        + b"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--B--\r\n"
    )


async def test_json_text_is_sent_as_it_is() -> None:
    assert b'\r\n\r\n{ "a" : 1 }\r\n' in await body({"meta": '{ "a" : 1 }'})


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"a\r\nX": "1"}, "form.'a"),
        ({"text": object()}, "form.text"),
        ({"text": "\ud800"}, "form.text"),
        ({"meta": {"x": float("nan")}}, "form.meta"),
        ({"text": None}, "form.text"),
    ],
    ids=["name", "object", "surrogate", "not JSON", "null"],
)
def test_what_a_form_cannot_say(fields: dict[str, Any], path: str) -> None:
    faults: list[FieldError] = []
    assert encode(SCHEMA, fields, b"", faults) is None
    assert faults[0].path.startswith(path)


def test_each_form_has_a_boundary_of_its_own() -> None:
    boundaries = {form.boundary for _ in range(50) if (form := encode(None, {"a": "b"}, b"", []))}
    assert len(boundaries) == 50


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.PNG", b"", "image/png"),
        ("a.jpeg", b"", "image/jpeg"),
        ("a.bmp", b"", "image/bmp"),
        ("a.mp4", b"", "video/mp4"),
        ("a.rmvb", b"", "application/vnd.rn-realmedia-vbr"),
        ("a.csv", b"", "text/csv"),
        ("a.ofd", b"", "application/ofd"),
        ("a", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("a.unknown", b"%PDF-1.7", "application/pdf"),
        ("a", b"", "application/octet-stream"),
    ],
)
def test_the_media_type_is_that_of_the_name_else_of_the_content(name: str, head: bytes, kind: str) -> None:
    assert media_type_of(name, head) == kind


NAMES = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Zs", "Co", "Cn")), min_size=1
).filter(lambda name: "/" not in name and "\\" not in name and ":" not in name and name not in (".", ".."))


@given(NAMES.filter(lambda name: len(name.encode()) < 250), st.binary(min_size=1, max_size=500), st.text())
def test_whatever_is_in_a_form_comes_out_of_it(name: str, content: bytes, text: str) -> None:
    """Parsed by Python's ``email`` package, which is independent of the encoder."""

    async def write() -> tuple[bytes, int, str]:
        faults: list[FieldError] = []
        file = await prepare(File(content, name, "application/x-test"), faults, "form.file")
        form = encode(None, {"text": text, "file": file}, b"", faults)
        assert form is not None, faults
        return b"".join([chunk async for chunk in form.chunks()]), form.size, form.content_type

    try:
        text.encode()
    except UnicodeEncodeError:
        return
    body, size, kind = asyncio.run(write())
    assert len(body) == size
    boundary = kind.partition("boundary=")[2].encode()
    first, second = body.split(b"--" + boundary)[1:3]
    assert first == b'\r\nContent-Disposition: form-data; name="text"\r\n\r\n' + text.encode() + b"\r\n"
    quoted = name.replace('"', "%22").encode()
    head = b'\r\nContent-Disposition: form-data; name="file"; filename="' + quoted + b'"\r\n'
    assert second == head + b"Content-Type: application/x-test\r\n\r\n" + content + b"\r\n"
    assert body.endswith(b"--" + boundary + b"--\r\n")
