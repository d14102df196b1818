"""The index is never used against a file: whatever happens to a spec, its index or its folder, the spec counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.conftest import Write, tree_of
from wxpay_dsl.core.errors import SpecError
from wxpay_dsl.core.specs import index, spec_bytes
from wxpay_dsl.core.specs.index import INDEX_NAME, index_folder, portable_index
from wxpay_dsl.core.specs.spec_bytes import RACY_NS

SPEC = "title: {title}\npath: /v1/{name}\noperations: {{/a: {{post: {{summary: {title}}}}}}}\n"


def indexed(folder: Path) -> dict[str, str]:
    """The title of each file in the index."""
    return {entry.file: entry.title for entry in index_folder(str(folder), "json")}


@pytest.fixture
def shop(write: Write) -> Path:
    write("b/books.yaml", SPEC.format(name="books", title="书"))
    return write("shop.yaml", SPEC.format(name="shop", title="一"))


@pytest.fixture
def settled(folder: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose index is checked by timestamps only, as it is some seconds after the last edit."""
    now = time.time_ns
    monkeypatch.setattr(index.time, "time_ns", lambda: now() + 2 * RACY_NS)
    indexed(folder)
    # Nor is the next edit in the same tick of the clock by which the file system tells one time from the next.
    latest = max(file.stat().st_ctime_ns for file in folder.rglob("*.yaml"))
    probe = folder.parent / "probe"
    while not probe.exists() or probe.stat().st_ctime_ns <= latest:
        probe.write_text("x")
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the specs whose YAML was read."""
    seen: list[str] = []
    outline = index._outline

    def count(text: bytes, folder: str, file: str, default_dialect: str) -> list[object]:
        seen.append(file)
        return outline(text, folder, file, default_dialect)

    monkeypatch.setattr(index, "_outline", count)
    return seen


def test_what_an_index_tells(folder: Path, shop: Path, write: Write) -> None:
    write("events.yml", "dialect: old\nevents: {PAID: {summary: 成功}}")
    write("hosts.yaml", "host: https://a.example\noperations: {/x: {get: {}, post: {host: 'https://b.example'}}}")
    write("_draft.yaml", "not: [a spec")
    write(".hidden.yaml", "not: [a spec")
    write("notes.txt", "not a spec")
    entries = {entry.file: entry for entry in index_folder(str(folder), "json")}
    assert list(entries) == ["b/books.yaml", "events.yml", "hosts.yaml", "shop.yaml"]
    assert entries["shop.yaml"].paths == [["/v1/shop/a", {"post": "一"}]]
    assert (entries["events.yml"].dialect, entries["events.yml"].events) == ("old", {"PAID": "成功"})
    assert entries["hosts.yaml"].hosts == {"get /x": "https://a.example", "post /x": "https://b.example"}
    assert index_folder(str(folder), "json") == list(entries.values())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        index_folder(str(tmp_path / "nowhere"), "json")


class TestProofs:
    def test_unchanged_files_are_not_read_again(self, settled: Path, reads: list[str]) -> None:
        assert indexed(settled) == {"b/books.yaml": "书", "shop.yaml": "一"}
        assert reads == []

    def test_an_edited_file(self, settled: Path, reads: list[str]) -> None:
        (settled / "shop.yaml").write_text(SPEC.format(name="shop", title="一二"))
        assert indexed(settled)["shop.yaml"] == "一二"
        assert reads == ["shop.yaml"]

    def test_an_edit_of_the_same_size(self, settled: Path) -> None:
        (settled / "shop.yaml").write_text(SPEC.format(name="shop", title="二"))
        assert indexed(settled)["shop.yaml"] == "二"

    def test_an_edit_of_the_same_size_and_time(self, settled: Path) -> None:
        file = settled / "shop.yaml"
        before = file.stat()
        file.write_text(SPEC.format(name="shop", title="二"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        assert indexed(settled)["shop.yaml"] == "二"

    def test_edits_faster_than_the_clock(self, folder: Path, shop: Path) -> None:
        before = shop.stat()
        for title in "二三四五六七八九十":
            shop.write_text(SPEC.format(name="shop", title=title))
            os.utime(shop, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert indexed(folder)["shop.yaml"] == title

    def test_a_file_from_the_future(self, settled: Path) -> None:
        file = settled / "shop.yaml"
        for title in "二三":
            file.write_text(SPEC.format(name="shop", title=title))
            os.utime(file, ns=(2 * 10**18, 2 * 10**18))
            assert indexed(settled)["shop.yaml"] == title

    def test_an_added_file(self, settled: Path, write: Write, reads: list[str]) -> None:
        write("b/new.yaml", SPEC.format(name="new", title="新"))
        assert indexed(settled) == {"b/books.yaml": "书", "b/new.yaml": "新", "shop.yaml": "一"}
        assert reads == ["b/new.yaml"]

    def test_a_removed_file(self, settled: Path) -> None:
        (settled / "shop.yaml").unlink()
        assert indexed(settled) == {"b/books.yaml": "书"}
        assert indexed(settled) == {"b/books.yaml": "书"}

    def test_a_renamed_file(self, settled: Path) -> None:
        (settled / "shop.yaml").rename(settled / "store.yaml")
        assert indexed(settled) == {"b/books.yaml": "书", "store.yaml": "一"}

    def test_two_files_that_change_names(self, settled: Path) -> None:
        a, b = settled / "shop.yaml", settled / "b" / "books.yaml"
        a.rename(settled / "x")
        b.rename(a)
        (settled / "x").rename(b)
        assert indexed(settled) == {"b/books.yaml": "一", "shop.yaml": "书"}

    def test_a_renamed_folder(self, settled: Path) -> None:
        (settled / "b").rename(settled / "c")
        assert indexed(settled) == {"c/books.yaml": "书", "shop.yaml": "一"}

    def test_a_touched_file_is_compared_and_not_read(self, settled: Path, reads: list[str]) -> None:
        os.utime(settled / "shop.yaml")
        assert indexed(settled)["shop.yaml"] == "一"
        assert reads == []

    def test_the_default_family_is_part_of_what_was_indexed(self, folder: Path, shop: Path) -> None:
        assert {entry.dialect for entry in index_folder(str(folder), "json")} == {"json"}
        assert {entry.dialect for entry in index_folder(str(folder), "old")} == {"old"}

    def test_an_index_built_in_haste_is_proven_by_hash_until_times_can_prove_it(
        self, folder: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        indexed(folder)
        hasty = (folder / INDEX_NAME).read_bytes()
        indexed(folder)
        assert (folder / INDEX_NAME).read_bytes() == hasty
        now = time.time_ns
        monkeypatch.setattr(index.time, "time_ns", lambda: now() + 2 * RACY_NS)
        indexed(folder)
        saved = json.loads((folder / INDEX_NAME).read_bytes().partition(b"\n")[2])
        assert all(max(entry[1], entry[2]) + RACY_NS < saved["saved_ns"] for entry in saved["files"].values())


class TestDamage:
    DAMAGES: ClassVar[dict[str, Callable[[bytes], bytes]]] = {
        "empty": lambda _: b"",
        "half": lambda saved: saved[: len(saved) // 2],
        "no end": lambda saved: saved[:-1],
        "not JSON": lambda _: b"\xff\x00{",
        "another's JSON": lambda _: b'{"files": {}}',
        "a list": lambda _: b"x\n[]",
        "more": lambda saved: saved + b" ",
        "twice": lambda saved: saved + saved,
    }

    @pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
    def test_a_damaged_index_is_built_anew(self, settled: Path, damage: Callable[[bytes], bytes]) -> None:
        file = settled / INDEX_NAME
        whole = file.read_bytes()
        file.write_bytes(damage(whole))
        assert indexed(settled) == {"b/books.yaml": "书", "shop.yaml": "一"}
        assert json.loads(file.read_bytes().partition(b"\n")[2])["files"]

    def test_a_bit_that_flips(self, settled: Path) -> None:
        file = settled / INDEX_NAME
        whole = file.read_bytes()

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(st.integers(0, len(whole) * 8 - 1))
        def flip(bit: int) -> None:
            broken = bytearray(whole)
            broken[bit // 8] ^= 1 << bit % 8
            file.write_bytes(bytes(broken))
            assert indexed(settled) == {"b/books.yaml": "书", "shop.yaml": "一"}

        flip()

    @pytest.mark.parametrize("form", [0, 1, 99, "2", None])
    def test_an_index_of_another_format_is_not_believed(self, settled: Path, form: object) -> None:
        file = settled / INDEX_NAME
        saved = json.loads(file.read_bytes().partition(b"\n")[2])
        saved["format"] = form
        saved["files"]["shop.yaml"][4] = "a lie"
        payload = json.dumps(saved).encode()
        file.write_bytes(index._checksum(payload) + b"\n" + payload)
        assert indexed(settled)["shop.yaml"] == "一"

    def test_an_index_that_is_a_folder(self, folder: Path, shop: Path) -> None:
        (folder / INDEX_NAME).mkdir()
        assert indexed(folder) == {"b/books.yaml": "书", "shop.yaml": "一"}
        assert list(folder.glob(f"{INDEX_NAME}.*")) == []

    def test_a_folder_that_cannot_be_written(
        self, folder: Path, shop: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
    ) -> None:
        # As root, who runs these tests in a container, every folder can be written.
        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(index.os, "replace", refuse)
        for _ in range(2):
            assert indexed(folder) == {"b/books.yaml": "书", "shop.yaml": "一"}
        assert reads == ["b/books.yaml", "shop.yaml"] * 2
        assert list(folder.glob(".*")) == []


class TestBrokenFiles:
    def test_a_syntax_error_is_kept_with_its_place(self, folder: Path, shop: Path, write: Write) -> None:
        write("bad.yaml", "path: /v1/bad\noperations:\n\t/a: {}\n")
        for _ in range(2):
            entry = next(entry for entry in index_folder(str(folder), "json") if entry.file == "bad.yaml")
            assert entry.error is not None
            assert "a tab; indent with spaces" in entry.error[0]
            assert entry.error[1:] == [3, 1]
            assert entry.paths == [["/v1/bad", {}]]

    @pytest.mark.parametrize(
        ("text", "dialect", "paths"),
        [
            ("path: '/v1/bad' # here\n\tx", "json", ["/v1/bad"]),
            ("dialect: old\npath: /bad\n\tx", "old", ["/bad"]),
            ("operations:\n  /v1/a:\n    get: {}\n  '/v1/b': {post: {}}\n\tx", "json", ["/v1/a", "/v1/b"]),
            ("\tnothing to see", "json", ["/sub/bad"]),
            ("path: nonsense\n\tx", "json", ["/sub/bad"]),
            (b"path: /v1/\xff\n", "json", ["/v1/\ufffd"]),
        ],
    )
    def test_a_broken_file_stands_where_its_operations_would(
        self, folder: Path, write: Write, text: str | bytes, dialect: str, paths: list[str]
    ) -> None:
        write("sub/bad.yaml", text)
        (entry,) = index_folder(str(folder), "json")
        assert entry.error is not None
        assert (entry.dialect, [path for path, _ in entry.paths]) == (dialect, paths)

    def test_mending_it_is_enough(self, folder: Path, write: Write) -> None:
        write("bad.yaml", "\tx")
        assert index_folder(str(folder), "json")[0].error is not None
        write("bad.yaml", SPEC.format(name="bad", title="好"))
        assert indexed(folder) == {"bad.yaml": "好"}

    def test_a_link_to_nothing(self, folder: Path, shop: Path) -> None:
        (folder / "gone.yaml").symlink_to(folder / "nowhere.yaml")
        tree = tree_of(folder)
        assert [declared.path for declared in tree.declared()] == ["/v1/books/a", "/v1/shop/a"]
        with pytest.raises(SpecError, match="cannot be read: No such file"):
            tree.preload()

    def test_a_folder_named_like_a_spec(self, folder: Path, shop: Path, write: Write) -> None:
        write("v2.yaml/pay.yaml", SPEC.format(name="pay", title="付"))
        assert indexed(folder)["v2.yaml/pay.yaml"] == "付"

    def test_links_that_turn_in_a_circle(self, folder: Path, shop: Path, tmp_path: Path) -> None:
        (folder / "b" / "up").symlink_to(folder)
        (folder / "here").symlink_to(folder / "b")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "more.yaml").write_text(SPEC.format(name="more", title="多"))
        (folder / "linked").symlink_to(elsewhere)
        assert indexed(folder) == {"b/books.yaml": "书", "linked/more.yaml": "多", "shop.yaml": "一"}

    def test_a_file_that_may_not_be_read_now_may_be_later(
        self, folder: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(file: str, *given: Any, **named: Any) -> object:
            if file.endswith("shop.yaml"):
                raise PermissionError(13, "Permission denied", file)
            return open(file, *given, **named)  # noqa: PTH123 (what is patched)

        with monkeypatch.context() as patch:
            patch.setattr(spec_bytes, "open", refuse, raising=False)
            entry = next(entry for entry in index_folder(str(folder), "json") if entry.file == "shop.yaml")
            assert entry.error == ["cannot be read: Permission denied", 0, 0]
        assert indexed(folder) == {"b/books.yaml": "书", "shop.yaml": "一"}

    @pytest.mark.timeout(60)
    def test_a_pipe_holds_up_nobody(self, folder: Path, shop: Path) -> None:
        os.mkfifo(folder / "pipe.yaml")
        os.mkfifo(folder / INDEX_NAME)
        tree = tree_of(folder)
        assert [declared.path for declared in tree.declared()] == ["/v1/books/a", "/v1/shop/a"]
        with pytest.raises(SpecError, match=r"pipe\.yaml: cannot be read: not a regular file"):
            tree.preload()

    def test_a_folder_that_may_not_be_listed(self, folder: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        scandir = os.scandir

        def refuse(path: str) -> object:
            if path.endswith("/b/"):
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(index.os, "scandir", refuse)
        tree = tree_of(folder)
        assert [declared.path for declared in tree.declared()] == ["/v1/shop/a"]
        assert [file.path for file in tree.files if file.error] == [f"{folder}/b/"]

    def test_a_name_that_is_not_utf_8(self, folder: Path, shop: Path) -> None:
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.yaml")).write_text(SPEC.format(name="cafe", title="咖"))
        for _ in range(2):
            assert "咖" in indexed(folder).values()
        assert json.loads((folder / INDEX_NAME).read_bytes().partition(b"\n")[2])["files"]


def test_two_processes_may_build_at_once(folder: Path, write: Write) -> None:
    for i in range(40):
        write(f"p{i}.yaml", SPEC.format(name=f"p{i}", title=i))
    program = """
import sys, time
from contextlib import suppress
from pathlib import Path
from wxpay_dsl.core.specs.index import INDEX_NAME, index_folder

time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
for _ in range(5):
    print(sum(len(entry.paths) for entry in index_folder(sys.argv[1], "json")))
    with suppress(FileNotFoundError):
        Path(sys.argv[1], INDEX_NAME).unlink()
"""
    start = str(time.time() + 1.0)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder), start],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        out, err = process.communicate(timeout=100)
        assert (out.split(), err) == (["40"] * 5, "")
    assert len(indexed(folder)) == 40
    assert list(folder.glob(f"{INDEX_NAME}.*")) == []


def test_an_index_for_a_package_needs_no_times(folder: Path, shop: Path, tmp_path: Path) -> None:
    portable = portable_index(str(folder), "json")
    assert portable == portable_index(str(folder), "json")
    (folder / INDEX_NAME).write_bytes(portable)
    shop.write_text(SPEC.format(name="shop", title="二"))
    assert indexed(folder) == {"b/books.yaml": "书", "shop.yaml": "二"}
