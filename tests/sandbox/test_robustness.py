"""Whatever is sent, the sandbox responds in the service's own format."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wxpay_dsl.client import tree
from wxpay_dsl.core.specs.model import Operation
from wxpay_dsl.sandbox.handlers.registry import v3_handlers
from wxpay_dsl.sandbox.protocol.examples import example
from wxpay_dsl.sandbox.protocol.messages import Call, RawResponse, Refusal
from wxpay_dsl.sandbox.protocol.multipart import parse
from wxpay_dsl.sandbox.protocol.routing import find
from wxpay_dsl.sandbox.state.state import State

from .conftest import Api, Shop

WEIRD: list[Any] = [None, "", "x" * 5000, "\ud800", -1, 0, 10**40, 1.5, True, [], {}, [None], {"a": 1}, "2026-99-99"]


def lifecycles() -> list[str]:
    """Every stateful operation of APIv3."""
    return sorted(name for name in v3_handlers(State()) if not name.endswith("certificates"))


def operation(name: str) -> Operation:
    method, _, path = name.partition(" ")
    return find(tree(), method, path.replace("{", "a").replace("}", "")).operation


def mutants(value: Any) -> Iterator[Any]:
    """Copies of ``value`` with one item, at any depth, replaced by an unexpected value or removed."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield {key: item for key, item in value.items() if key != name}
            for changed in [*WEIRD, *mutants(inner)]:
                yield {**value, name: changed}
    elif isinstance(value, list) and value:
        for changed in mutants(value[0]):
            yield [changed, *value[1:]]


@pytest.mark.parametrize("name", lifecycles())
async def test_a_lifecycle_s_operation_answers_anything(shop: Shop, name: str) -> None:
    """A fixed sample of all bodies with one wrong or missing item."""
    method, _, template = name.partition(" ")
    path = template.replace("{", "").replace("}", "")
    body = operation(name).body
    bodies: list[Any] = [None, [], "text", 7] if body is not None else [None]
    if body is not None:
        plain = copy.deepcopy(example(body))
        every = list(mutants(plain))
        bodies += [plain, *every[:: max(1, len(every) // 25)]]
    for sent in bodies:
        data = b"" if sent is None else json.dumps(sent).encode()
        response, answer = await shop.send(method, path, data)
        assert response.status < 500, (sent, answer)
        if answer:
            json.loads(answer)


@given(
    target=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60).map(lambda text: f"/{text}"),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"]),
    authorization=st.text(max_size=80),
    body=st.binary(max_size=80),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_from_nowhere_are_refused(
    respond: Any, target: str, method: str, authorization: str, body: bytes
) -> None:
    headers = {"Accept": "*/*", "User-Agent": "x", "Authorization": authorization, "Host": "127.0.0.1"}
    response: RawResponse = respond(Call(method, target, headers, body), "127.0.0.1")
    assert 400 <= response.status < 500 or target.startswith("/sandbox")
    assert response.body


@pytest.fixture(scope="module")
def respond() -> Any:
    """The responses of a sandbox, without sockets."""
    from wxpay_dsl.sandbox.keys.identity import throwaway_merchant, throwaway_public_key
    from wxpay_dsl.sandbox.keys.platform import Platform
    from wxpay_dsl.sandbox.protocol.faults import Faults
    from wxpay_dsl.sandbox.protocol.service import Service
    from wxpay_dsl.sandbox.protocol.v2 import ServiceV2

    platform = Platform("both", throwaway_public_key(), ())
    merchant = throwaway_merchant()
    merchants = {merchant.mchid: merchant}
    v2 = ServiceV2(platform, merchants, {})
    service = Service(tree(), platform, merchants, lambda: 0.0, dict, respond_v2=v2.respond, faults=Faults())
    return lambda call, peer: service.respond(call)


class TestMultipart:
    @given(
        content=st.binary(max_size=300),
        filename=st.text(st.characters(blacklist_characters='"\\', blacklist_categories=("Cc", "Cs")), max_size=20),
        announced=st.booleans(),
    )
    @settings(max_examples=80, deadline=None)
    def test_a_file_arrives_as_it_was(self, content: bytes, filename: str, announced: bool) -> None:
        boundary = "----boundary7MA4YWxkTrZu0gW"
        body = b"".join(
            (
                f'--{boundary}\r\nContent-Disposition: form-data; name="meta"\r\n\r\n{{}}\r\n'.encode(),
                f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'.encode(),
                b"Content-Type: image/png\r\n\r\n" + content + f"\r\n--{boundary}--\r\n".encode(),
            )
        )
        if boundary.encode() in content:
            return
        kind = f"multipart/form-data; boundary={boundary}" if announced else "multipart/form-data"
        parts = parse(Call("POST", "/", {"Content-Type": kind}, body))
        assert parts["meta"].content == b"{}"
        assert parts["file"].content == content
        assert parts["file"].content_type == "image/png"

    @given(body=st.binary(max_size=200), kind=st.text(max_size=60))
    @settings(max_examples=150, deadline=None)
    def test_anything_else_is_refused_or_read(self, body: bytes, kind: str) -> None:
        for content_type in (kind, "multipart/form-data; boundary=x", "multipart/form-data"):
            with contextlib.suppress(Refusal):
                parse(Call("POST", "/", {"Content-Type": content_type}, body))


@pytest.mark.parametrize("seconds", [-1, 1e18, float("nan"), float("inf")])
async def test_the_clock_goes_on_and_not_too_far(shop: Shop, seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        shop.sandbox.control.advance_clock(seconds)


async def test_a_spec_that_cannot_be_read_is_said(api: Api, tmp_path: Any) -> None:
    from wxpay_dsl.sandbox import Sandbox

    (tmp_path / "broken.yaml").write_text("path: /v3/broken\noperations:\n  /thing: {post: {bdy: {}}}\n", "utf-8")
    import aiohttp

    async with Sandbox(specs=[tmp_path]) as sandbox, aiohttp.ClientSession() as session:
        response, body = await Shop(sandbox, session).send("POST", "/v3/broken/thing", b"{}")
    assert (response.status, json.loads(body)["code"]) == (500, "SYSTEM_ERROR")
    assert "broken.yaml" in json.loads(body)["message"]
