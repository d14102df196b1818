"""Files and folders are written atomically, replace links, and have the right permissions."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from wxpay_dsl.core.files.atomic_write import atomic_file, atomic_folder, atomic_text_file, same_file, write_atomically

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("private", "expected"), [(True, 0o600), (False, 0o644)])
def test_a_file_is_for_its_owner_or_as_the_umask_says(private: bool, expected: int, tmp_path: Path) -> None:
    assert write_atomically(tmp_path / "new", b"12", private=private) == 2
    assert mode(tmp_path / "new") == expected


def test_a_private_file_does_not_keep_the_permissions_of_what_it_replaces(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(0o666)
    write_atomically(tmp_path / "file", b"new", private=True)
    assert mode(tmp_path / "file") == 0o600


def test_a_link_is_replaced_and_what_it_leads_to_is_kept(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name, make in (("link", Path.symlink_to), ("hard", Path.hardlink_to)):
        make(tmp_path / name, victim)
        write_atomically(tmp_path / name, b"new", private=False)
        assert not (tmp_path / name).is_symlink()
        assert (tmp_path / name).read_bytes() == b"new"
    (tmp_path / "dead").symlink_to(tmp_path / "nowhere")
    write_atomically(tmp_path / "dead", b"new", private=False)
    assert not (tmp_path / "nowhere").exists()
    assert victim.read_text() == "mine"


def test_a_pipe_a_folder_and_a_device_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "null").symlink_to("/dev/null")
    for path in (tmp_path / "pipe", tmp_path / "folder", tmp_path / "null", Path("/dev/stdout"), Path("/dev/null")):
        with pytest.raises(OSError, match=r"not a regular file|a device cannot be replaced"):
            write_atomically(path, b"", private=False)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("x" * 255), b"1", private=True)
    assert (tmp_path / ("x" * 255)).read_bytes() == b"1"


@pytest.mark.parametrize("text", [True, False])
def test_what_fails_half_way_leaves_what_was_there(text: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(RuntimeError):  # noqa: PT012, SIM117
        with (
            atomic_text_file(tmp_path / "file", private=True)
            if text
            else atomic_file(tmp_path / "file", private=True) as file
        ):
            file.write("half" if text else b"half")  # type: ignore[call-overload]
            raise RuntimeError
    assert (tmp_path / "file").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_disk_has_a_file_before_its_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a power failure could leave an empty file in the place of the old one."""
    synced: list[bytes] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        assert not (tmp_path / "file").exists()
        (part,) = tmp_path.iterdir()
        synced.append(part.read_bytes())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(tmp_path / "file", b"all of it", private=True)
    with atomic_text_file(tmp_path / "other", private=True) as file:
        (tmp_path / "file").unlink()
        file.write("all of it")
    assert synced == [b"all of it"] * 2


def test_a_folder_takes_the_place_of_another_whole(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "folder"
    with atomic_folder(folder) as fresh:
        (fresh / "one").write_text("1")
    with atomic_folder(folder) as fresh:
        (fresh / "two").write_text("2")
    assert [each.name for each in folder.iterdir()] == ["two"]
    with pytest.raises(RuntimeError), atomic_folder(folder):
        raise RuntimeError
    assert [each.name for each in folder.iterdir()] == ["two"]
    assert [each.name for each in folder.parent.iterdir()] == ["folder"]


def test_a_folder_takes_no_place_of_a_link_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "mine").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("mine")
    for name in ("link", "file"):
        with pytest.raises(NotADirectoryError), atomic_folder(tmp_path / name):
            pass
    assert (tmp_path / "real" / "mine").read_text() == (tmp_path / "file").read_text() == "mine"


def test_one_file_is_known_by_any_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "hard").hardlink_to(tmp_path / "file")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "there").symlink_to(tmp_path)
    for name in ("file", "hard", "link", "there/file", "./file", "there/../" + tmp_path.name + "/file"):
        assert same_file(tmp_path / "file", tmp_path / name)
    assert same_file(tmp_path / "new", tmp_path / "there" / "new")
    assert not same_file(tmp_path / "file", tmp_path / "new")
