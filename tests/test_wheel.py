"""The built wheel, installed in an empty environment, has specs, index and types, and makes calls."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.requirements import require

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CALL = """
import asyncio, json, sys
import wxpay_dsl
assert "yaml" not in sys.modules, "the index that came with the wheel was not believed"
from wxpay_dsl import Wechatpay
from wxpay_dsl.sandbox import Sandbox

async def main():
    async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        response = await wxpay.v3.eduPapay.contracts.presign.post(
            appid="wx8888888888888888", openid="o", plan_id="1", user_id="1",
            period_start_date="2026-03-19", trade_scene="EDUCATION_PERIOD",
        )
    print(json.dumps({"file": wxpay_dsl.__file__, "data": response.data, "operations": len(wxpay.tree.declared())}))

asyncio.run(main())
"""


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WXPAY_", "PYTHON"))}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel that was built from it."""
    require("package index")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ".", cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def python(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a virtual environment that holds the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    (wheel,) = built.glob("*.whl")
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=folder)
    return python


def test_both_archives_carry_the_specs(built: Path) -> None:
    specs = {str(file.relative_to(ROOT / "specs")) for file in (ROOT / "specs").rglob("*.yaml")}
    from wxpay_dsl.core.specs.parsed import portable

    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    assert {f"wxpay_dsl/specs/{name}" for name in specs} <= inside
    assert {"wxpay_dsl/specs/spec.schema.json", "wxpay_dsl/specs/.index.json", "wxpay_dsl/py.typed"} <= inside
    assert {
        f"wxpay_dsl/specs/.parsed/{portable((ROOT / 'specs' / name).read_bytes(), name)[0]}" for name in specs
    } <= inside
    assert "wxpay_dsl/typed/__init__.pyi" in inside
    assert not [name for name in inside if name.startswith(("tests/", "bench/", "specs/"))]
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"specs/{name}" for name in specs} <= inside
    assert {"LICENSE", "README.md", "README.zh-CN.md", "CHANGELOG.md", "tests/test_wheel.py"} <= inside


def test_an_installed_wheel_calls(python: Path, tmp_path: Path) -> None:
    import json

    from wxpay_dsl.client import tree

    said = json.loads(run(python, "-c", CALL, cwd=tmp_path))
    assert Path(said["file"]).is_relative_to(python.parents[1])
    assert list(said["data"]) == ["presign_token"]
    assert said["operations"] == len(tree().declared())


def test_without_the_extra_the_command_says_how_to_install_it(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python.with_name("wxpay"), "demo"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "pip install 'wxpay-dsl[cli]'" in done.stderr


def test_two_builds_carry_the_same_index(built: Path, tmp_path: Path) -> None:
    from wxpay_dsl.core.specs.index import portable_index
    from wxpay_dsl.wechat.chains import DEFAULT

    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("wxpay_dsl/specs/.index.json") == portable_index(str(ROOT / "specs"), DEFAULT)
