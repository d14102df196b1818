"""What the source must not do, read from the source: timing, TLS, and evaluation of what came from outside.

A timing test proves little and fails at random; that a comparison runs in constant time is seen where it is written.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import wxpay_dsl

PACKAGE = Path(wxpay_dsl.__file__).parent
FILES = {
    str(file.relative_to(PACKAGE)): ast.parse(file.read_bytes())
    for file in sorted(PACKAGE.rglob("*.py"))
    if "specs" not in file.relative_to(PACKAGE).parts[:1]
}
#: Words for values that vouch for something, or must stay secret.
SECRET = {"sign", "signature", "digest", "hash_value", "hexdigest", "mac", "apiv3_key", "secret", "password", "tag"}
#: Digests that tell whether something changed, and ASN.1's tags: who knows them may know them.
PUBLIC = {
    "cli/bulk/command.py": "row.digest != entry.digest",
    "core/specs/references.py": "digest(read_regular_file(file, MAX_BYTES + 1)) == seen.digest",
    "sandbox/domain/media.py": "claimed.lower() != digest",
    "wechat/crypto/der.py": "outer != tag",
    "diagnosis/request.py": "hashed(other).digest() == digest",
}
#: Comparisons of such names that compare no two secrets: with a constant, a length, a type.
HARMLESS = (ast.Constant, ast.Tuple, ast.List, ast.Set)


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for name, tree in FILES.items():
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield f"{name}:{getattr(node, 'lineno', 0)}", node


def word(node: ast.expr) -> str:
    """The last name in an expression: of ``given["sign"]``, ``x.sign``, ``sign(…)``, ``sign.lower()``."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return word(node.value) if node.attr in ("lower", "upper", "encode", "strip") else node.attr
        case ast.Call(func=func):
            return word(func)
        case ast.Subscript(slice=ast.Constant(value=str(value))):
            return value
    return ""


def test_what_vouches_is_compared_in_constant_time() -> None:
    found = []
    for where, node in nodes(ast.Compare):
        assert isinstance(node, ast.Compare)
        if not any(isinstance(operator, (ast.Eq, ast.NotEq)) for operator in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(side, HARMLESS) for side in sides):
            continue
        public = PUBLIC.get(where.partition(":")[0]) == ast.unparse(node)
        if not public and any(word(side).lower().strip("_") in SECRET for side in sides):
            found.append(f"{where}: {ast.unparse(node)}")
    assert found == []


@pytest.mark.parametrize(
    ("file", "function"), [("wechat/v2/signing.py", "verify"), ("core/http/decoding.py", "finish")], ids=str
)
def test_where_digests_are_compared_hmac_does_it(file: str, function: str) -> None:
    (found,) = [node for node in ast.walk(FILES[file]) if isinstance(node, ast.FunctionDef) and node.name == function]
    calls = {ast.unparse(node.func) for node in ast.walk(found) if isinstance(node, ast.Call)}
    assert "hmac.compare_digest" in calls


def test_this_finds_what_it_looks_for() -> None:
    tree = ast.parse("if given['sign'] == sign(fields, key).lower(): pass")
    FILES["planted.py"] = tree
    try:
        with pytest.raises(AssertionError, match=r"planted\.py:1"):
            test_what_vouches_is_compared_in_constant_time()
    finally:
        del FILES["planted.py"]


#: What switches TLS verification off, or weakens it.
UNSAFE_NAMES = {"CERT_NONE", "CERT_OPTIONAL", "_create_unverified_context", "PROTOCOL_TLS", "OP_LEGACY_SERVER_CONNECT"}


def test_nothing_switches_tls_verification_off() -> None:
    found = [
        f"{where}: {node.attr if isinstance(node, ast.Attribute) else node.id}"
        for kind in (ast.Attribute, ast.Name)
        for where, node in nodes(kind)
        if isinstance(node, (ast.Attribute, ast.Name))
        and (node.attr if isinstance(node, ast.Attribute) else node.id) in UNSAFE_NAMES
    ]
    # The sandbox, a server, asks its clients for a certificate without insisting: APIv2 needs it for some calls alone.
    assert [one for one in found if not one.startswith("sandbox/keys/tls.py")] == []
    for where, node in nodes(ast.keyword):
        assert isinstance(node, ast.keyword)
        off = isinstance(node.value, ast.Constant) and node.value.value is False
        assert not (off and node.arg in ("ssl", "verify_ssl", "ssl_context", "check_hostname")), where
    for where, node in nodes(ast.Assign):
        assert isinstance(node, ast.Assign)
        targets = {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
        assert not targets & {"check_hostname", "verify_mode", "minimum_version"} or where.startswith("sandbox/"), where


def test_no_setting_is_about_not_verifying() -> None:
    from wxpay_dsl.settings.settings import NAMES

    assert [name for name in NAMES if "verif" in name or "insecure" in name or "ssl" in name or "tls" in name] == []


#: What runs or makes objects of what it is given. Redis' own `eval` runs a script of ours on the server.
CALLS = {"eval", "exec", "compile", "__import__", "pickle.loads", "pickle.load", "marshal.loads", "yaml.load"}
CALLS |= {"yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen", "subprocess.run", "subprocess.Popen"}


def test_nothing_from_outside_is_evaluated() -> None:
    found = [
        (where.partition(":")[0], ast.unparse(node))
        for where, node in nodes(ast.Call)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS
    ]
    # Of a subclass of the safe loader.
    assert found == [("core/openapi/document.py", "yaml.load(text, Loader=_Loader)")]
    from wxpay_dsl.core.openapi import document

    assert issubclass(document._Loader, (yaml.SafeLoader, yaml.CSafeLoader))


def test_randomness_that_must_not_be_guessed_is_the_systems() -> None:
    """`random` makes delays, and the choices of the sandbox; nonces and boundaries come from `secrets`."""
    users = set()
    for where, node in nodes(ast.Import):
        assert isinstance(node, ast.Import)
        if any(alias.name == "random" for alias in node.names):
            users.add(where.partition(":")[0])
    for where, node in nodes(ast.ImportFrom):
        assert isinstance(node, ast.ImportFrom)
        if node.module == "random":
            users.add(where.partition(":")[0])
    allowed = {"core/http/retry.py", "wechat/platform_keys/keyring.py"}
    assert {name for name in users if not name.startswith("sandbox/")} <= allowed
    (nonce,) = [
        node for _, node in nodes(ast.FunctionDef) if isinstance(node, ast.FunctionDef) and node.name == "nonce"
    ]
    assert "os.urandom(16)" in ast.unparse(nonce) or "secrets.token_hex(16)" in ast.unparse(nonce)
