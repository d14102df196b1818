"""Uploads: files of every kind, described by signed metadata; bad ones are rejected before anything is sent."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import AsyncIterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from tests.turning import turning
from wxpay_dsl import File, ServiceError, ValidationError, Wechatpay
from wxpay_dsl.client import tree
from wxpay_dsl.core.chain.node import node_target
from wxpay_dsl.core.errors import FieldError
from wxpay_dsl.core.messages import Exchange
from wxpay_dsl.core.request.files import Upload, prepare
from wxpay_dsl.core.request.forms import file_fields
from wxpay_dsl.sandbox import Sandbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
SHA256 = hashlib.sha256(PNG).hexdigest()


@pytest.fixture
async def wxpay() -> AsyncIterator[Wechatpay]:
    async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        yield wxpay


def parts(exchange: Exchange) -> dict[str, Any]:
    """The parts of what was sent, by name; a file's content is the line that stands for it."""
    head = f"Content-Type: {exchange.request_headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + exchange.request_body)
    return {str(part.get_param("name", header="Content-Disposition")): part for part in message.get_payload()}  # type: ignore[union-attr]  # multipart is a list


def sent_meta(exchange: Exchange) -> str:
    return parts(exchange)["meta"].get_payload(decode=True).decode().removesuffix("\r\n")


class OneWay(io.RawIOBase):
    """A stream, like the end of a pipe, that can be read once."""

    def __init__(self, content: bytes) -> None:
        self._inner = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._inner.read(min(size, 1000) if size >= 0 else size)


async def pieces() -> AsyncIterator[bytes]:
    for start in range(0, len(PNG), 700):
        yield PNG[start : start + 700]


def sources(folder: Path) -> dict[str, Any]:
    path = folder / "license.png"
    path.write_bytes(PNG)
    named = io.BytesIO(PNG)
    named.name = str(path)
    return {
        "path": path,
        "text": str(path),
        "named file": named,
        "bytes": File(PNG, "license.png"),
        "bytearray": File(bytearray(PNG), "license.png"),
        "open file": File(io.BytesIO(PNG), "license.png"),
        "pipe": File(OneWay(PNG), "license.png"),
        "iterator": File(pieces(), "license.png"),
    }


@pytest.mark.parametrize("kind", ["path", "text", "named file", "bytes", "bytearray", "open file", "pipe", "iterator"])
async def test_a_file_may_come_from_anywhere(kind: str, tmp_path: Path, wxpay: Wechatpay) -> None:
    response = await wxpay.v3.merchant.media.upload.post(file=sources(tmp_path)[kind])
    assert response.data["media_id"]
    assert json.loads(sent_meta(response.exchange)) == {"filename": "license.png", "sha256": SHA256}
    file = parts(response.exchange)["file"]
    assert file.get_filename() == "license.png"
    assert file.get_content_type() == "image/png"
    assert file.get_payload().strip() == f"<{len(PNG)} bytes, SHA-256 {SHA256}>"


async def test_an_open_file_is_sent_from_where_it_stands(wxpay: Wechatpay) -> None:
    handle = io.BytesIO(b"header" + PNG)
    handle.seek(6)
    response = await wxpay.v3.merchant.media.upload.post(file=File(handle, "a.png"))
    assert json.loads(sent_meta(response.exchange))["sha256"] == SHA256


async def test_the_meta_that_is_signed_is_the_meta_that_is_sent(wxpay: Wechatpay) -> None:
    response = await wxpay.v3.merchant.media.upload.post(file=File(PNG, "营业 执照.png"))
    request = response.exchange.request
    assert request.signed_body.decode() == sent_meta(response.exchange)
    assert response.exchange.signed_message.endswith(b"\n" + request.signed_body + b"\n")
    assert "营业 执照.png" in sent_meta(response.exchange)


async def test_a_caller_s_meta_is_completed_and_its_text_left_alone(wxpay: Wechatpay) -> None:
    tasks = wxpay.v3.marketing.bank.packages._package_id_.tasks
    response = await tasks.post(package_id="1234567", file=File(b"a\n", "users.csv"), meta={"bank_type": "ICBC_DEBIT"})
    assert list(json.loads(sent_meta(response.exchange))) == ["bank_type", "filename", "sha256"]
    text = '{ "sha256" : "0" }'
    response = await tasks.post(package_id="1234567", file=File(b"a\n", "users.csv"), meta=text)
    assert sent_meta(response.exchange) == text == response.exchange.request.signed_body.decode()


async def test_an_operation_that_wants_another_digest_says_so_in_its_spec(wxpay: Wechatpay) -> None:
    pdf = File(b"%PDF-1.7 invoice", "invoice.pdf")
    meta = {"company_mchid": "1900000109", "region_id": 310100}
    response = await wxpay.v3.taxiInvoice.cards.uploadFile.post(file=pdf, meta=meta)
    expected = {**meta, "digest_algorithm": "DIGEST_ALGORITHM_SM3", "digest": sm3(b"%PDF-1.7 invoice")}
    assert json.loads(sent_meta(response.exchange)) == expected
    upload = wxpay.v3.newTaxControlFapiao.fapiaoApplications.uploadFapiaoFile
    response = await upload.post(file=pdf, meta={"sub_mchid": "1900000109"})
    expected = {"sub_mchid": "1900000109", "file_type": "PDF", "digest_alogrithm": "SM3"}
    assert json.loads(sent_meta(response.exchange)) == {**expected, "digest": sm3(b"%PDF-1.7 invoice")}


def sm3(data: bytes) -> str:
    return hashlib.new("sm3", data).hexdigest()


async def test_fields_beside_the_file_are_parts_of_the_form(wxpay: Wechatpay) -> None:
    upload = wxpay.v3.mchManage.submissionFiles.subMchid._sub_mchid_.upload
    fields = {"sub_mchid": "1900000109", "item_id": 56, "manage_record_id": "57"}
    response = await upload.post(submission_file=File(PNG, "a.png"), **fields)
    sent = parts(response.exchange)
    assert sent["item_id"].get_payload().strip() == "56"
    assert list(sent)[-1] == "submission_file"


UPLOADS = [
    operation
    for operation in tree().operations()
    if operation.form is not None and operation.dialect == "v3" and file_fields(operation)
]


@pytest.mark.parametrize("operation", UPLOADS, ids=[operation.name for operation in UPLOADS])
async def test_every_upload_of_apiv3_takes_a_file_alone(operation: Any, wxpay: Wechatpay) -> None:
    node: Any = wxpay
    for segment in operation.chain:
        node = node[segment]
    required = {"item_id": 56, "manage_record_id": "57"} if "item_id" in operation.form.properties else {}
    path = dict.fromkeys(operation.parameters.properties, "1900000109")
    response = await node.post(File(PNG[:1000], "a.png"), **required, **path, validate="strict")
    assert response.status == 200


def test_all_of_them_were_tried() -> None:
    assert len(UPLOADS) == 14  # and one of APIv2


async def test_upload_finds_the_endpoint_by_the_media_type(wxpay: Wechatpay) -> None:
    image = await wxpay.upload(PNG)
    assert image.exchange.url.endswith("/v3/merchant/media/upload")
    video = await wxpay.upload(b"\0\0\0\x18ftypmp42", name="shop.mp4")
    assert video.exchange.url.endswith("/v3/merchant/media/video_upload")
    assert parts(video.exchange)["file"].get_content_type() == "video/mp4"
    to = wxpay.v3.marketing.favor.media.imageUpload
    favor = await wxpay.upload(PNG, to, name="coupon.png", content_type="image/x-png")
    assert favor.data["media_url"]
    assert parts(favor.exchange)["file"].get_content_type() == "image/x-png"
    with pytest.raises(ValidationError, match=r"nowhere\.png cannot be read: No such file"):
        await wxpay.upload("nowhere.png")


async def test_an_upload_of_an_endpoint_of_one_s_own(tmp_path: Path) -> None:
    folder = tmp_path / "v3"
    folder.mkdir()
    form = "form: {document: {format: binary}, meta: {contentMediaType: application/json}, kind?: 种类}"
    (folder / "mine.yaml").write_text(f"path: /v3/mine\noperations: {{/docs: {{post: {{{form}}}}}}}\n")
    async with Sandbox(specs=[tmp_path]) as sandbox, Wechatpay(**sandbox.credentials, specs=[tmp_path]) as wxpay:
        response = await wxpay.v3.mine.docs.post(document=File(PNG, "a.png"), kind="licence")
        assert set(parts(response.exchange)) == {"meta", "document", "kind"}


@pytest.mark.parametrize("spec", ["path: /v3/mine\noperations: {/docs: {post: {}}}\n", ""], ids=["open", "undeclared"])
async def test_a_file_makes_a_form_of_a_call_of_which_no_spec_says_anything(spec: str, tmp_path: Path) -> None:
    (tmp_path / "v3").mkdir()
    if spec:
        (tmp_path / "v3" / "mine.yaml").write_text(spec)
    async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials, specs=[tmp_path]) as wxpay:
        target = node_target(wxpay["v3"].mine.docs.post)
        request = await wxpay.client.prepare(target, {"document": File(PNG, "a.png")}, {})
        assert json.loads(request.signed_body) == {"filename": "a.png", "sha256": SHA256}
        assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "the file is empty"),
        (b"no magic", "has no name"),
        (5, "expected a file"),
        (io.StringIO("text"), "open as text"),
        ("/nowhere/a.png", r"/nowhere/a\.png cannot be read: No such file"),
        ("/dev/zero", "not a regular file"),
        pytest.param(
            PNG.decode("latin-1") * 50, "of 256400 characters is not the name of a file: give .* bytes", id="PNG"
        ),
        pytest.param("picture " * 40_000, "a text of 320000 characters is not the name of a file", id="long text"),
        pytest.param(Path("picture " * 40_000), "a text of 320000 characters is not the name", id="long path"),
        pytest.param("p" * 3000, "…p{200} cannot be read: File name too long", id="long name"),
        ("/", "cannot be read"),
        (File(PNG, "a\r\nX-Evil: 1.png"), "holds control characters"),
        (File(PNG, 'a.png"\n'), "holds control characters"),
        (File(PNG, "../../etc/passwd"), "is a path"),
        (File(PNG, "C:\\key.pem"), "is a path"),
        (File(PNG, "x" * 300), "at most 255"),
        (File(PNG, "a.png", "image/png\r\nX-Evil: 1"), "is not a media type"),
        (File(PNG + bytes(2 * 1024 * 1024), "a.png"), "at most 2097152"),
        (File(io.BytesIO(bytes(33 * 1024 * 1024)), "a.png"), "larger than 33554432"),
        (None, "expected a file"),
    ],
    # Without addresses in memory, which differ between the processes that share the tests.
    ids=lambda value: str(value).partition(" object at ")[0],
)
async def test_what_cannot_be_uploaded_is_refused_before_anything_is_sent(
    file: Any, message: str, wxpay: Wechatpay
) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        await wxpay.v3.merchant.media.upload.post(file=file)
    assert len(str(caught.value)) < 500


async def test_an_endless_iterator_is_bounded(wxpay: Wechatpay) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1024 * 1024)

    with pytest.raises(ValidationError, match="larger than 33554432"):
        await wxpay.v3.merchant.media.upload.post(file=File(endless(), "a.png"))


async def test_an_asynchronous_handle_is_told_from_a_file(wxpay: Wechatpay) -> None:
    class Handle:
        async def read(self, size: int) -> bytes:
            raise AssertionError

    with pytest.raises(ValidationError, match="asynchronous"):
        await wxpay.v3.merchant.media.upload.post(file=Handle())


async def test_a_missing_file_and_a_bad_meta_are_named_together(wxpay: Wechatpay) -> None:
    with pytest.raises(ValidationError, match=r"form\.file: missing"):
        await wxpay.v3.merchant.media.upload.post(validate="strict")
    with pytest.raises(ValidationError) as caught:
        await wxpay.v3.merchant.media.upload.post(
            file=File(PNG, "a.png"), meta={"x": float("nan")}, extra=1, validate="strict"
        )
    assert {fault.path for fault in caught.value.errors} == {"form.meta", "extra"}


async def test_the_larger_limit_of_videos_and_a_limit_waived(wxpay: Wechatpay) -> None:
    video = File(bytes(5 * 1024 * 1024), "a.mp4")
    await wxpay.v3.merchant.media.video_upload.post(file=video)
    with pytest.raises(ValidationError, match="5242881 bytes; the service accepts at most 5242880"):
        await wxpay.v3.merchant.media.video_upload.post(file=File(bytes(5 * 1024 * 1024 + 1), "a.mp4"))
    with pytest.raises(ServiceError):  # it was sent: the sandbox has limits of its own
        await wxpay.v3.merchant.media.upload.post(file=File(bytes(3 * 1024 * 1024), "a.png"), validate=False)


async def test_no_read_holds_up_the_event_loop(tmp_path: Path, wxpay: Wechatpay) -> None:
    reads = list[bool]()
    async with turning() as has_turned:

        class Slow(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                reads.append(has_turned())
                return super().read(size)

        await wxpay.v3.merchant.media.upload.post(file=File(Slow(PNG), "a.png"), timeout=100)
    assert reads
    assert all(reads)


async def test_a_file_that_changes_while_it_is_sent_is_an_error(tmp_path: Path, wxpay: Wechatpay) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    faults: list[FieldError] = []
    upload = await prepare(path, faults, "form.file")
    assert isinstance(upload, Upload)
    path.write_bytes(PNG[:-1])
    with pytest.raises(OSError, match="changed while it was being sent"):
        [chunk async for chunk in upload.chunks()]
    with pytest.raises(Exception, match=r"a\.png changed|connection broke"):
        await wxpay.v3.merchant.media.upload.post(file=upload, timeout=100)


async def test_a_content_type_of_the_caller_s_does_not_lose_the_boundary(wxpay: Wechatpay) -> None:
    headers = {"content-type": "multipart/form-data"}
    response = await wxpay.v3.merchant.media.upload.post(file=File(PNG, "a.png"), headers=headers)
    assert "boundary=" in response.exchange.request_headers["Content-Type"]
