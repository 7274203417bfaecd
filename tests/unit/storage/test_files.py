import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.errors import TemporaryError
from storage.files import FileStore, StorageFull

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path)


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 5000], ids=len)
def test_what_is_stored_is_read_back_by_its_hash(store, content):
    sha256 = store.put(content)
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert store.read(sha256) == content


def test_the_same_content_is_one_file(store):
    assert store.put(b"x") == store.put(b"x")
    assert len([path for path in store.root.rglob("*") if path.is_file()]) == 1


def test_a_file_that_exists_is_not_written_again(store):
    path = store.path(store.put(b"x"))
    before = path.stat().st_ino
    store.put(b"x")
    assert path.stat().st_ino == before


def test_files_lie_in_folders_by_the_beginning_of_their_hash(store, tmp_path):
    sha256 = store.put(b"x")
    assert store.path(sha256) == tmp_path / "files" / sha256[:2] / sha256


def test_only_the_owner_may_read_what_customers_sent(store):
    assert store.path(store.put(b"x")).stat().st_mode & 0o077 == 0


def test_what_a_crash_left_half_written_is_swept_away(store):
    kept = store.put(b"x")
    for number in range(3):
        (store.path(kept).parent / f"tmp{number}.part").write_bytes(b"half")
    assert store.sweep() == 3
    assert store.sweep() == 0
    assert store.read(kept) == b"x"


WRITER = """
import sys
from pathlib import Path
from storage import files
files.os.fsync = lambda _: (print("half", flush=True), sys.stdin.read())
files.FileStore(Path(sys.argv[1])).put(b"x")
"""


def test_what_another_process_is_writing_is_not_swept_away_before_that_is_killed(store, tmp_path):
    """Any node of a fleet sweeps the folder that all of them write to."""
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half\n"
        assert store.sweep() == 0
        writer.kill()
        writer.wait()
        assert store.sweep() == 1


def test_sweeping_an_empty_store_is_nothing(store):
    assert store.sweep() == 0


def test_a_content_that_is_not_there_is_an_error(store):
    with pytest.raises(FileNotFoundError):
        store.read("0" * 64)


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "files").write_bytes(b"a file where a folder should be")
    with pytest.raises(StorageFull, match=r"/files cannot be written: ") as error:
        FileStore(tmp_path).put(b"x")
    assert isinstance(error.value, TemporaryError)


def test_a_full_disk_leaves_no_file_and_no_part(tmp_path):
    """Told by a limit on the size of a file, which the system answers like a full disk."""
    program = """
import resource, signal, sys
from pathlib import Path
from storage.files import FileStore, StorageFull
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    FileStore(Path(sys.argv[1])).put(b"x" * 200_000)
except StorageFull as error:
    sys.exit(str(error))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"cannot be written: {os.strerror(errno.EFBIG)}" in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_stored_file_is_synced_before_it_has_its_name_and_its_folder_after(tmp_path):
    """CP-05 to CP-07, CP-48: the order in which the system is asked, as the system sees it."""
    calls: list[str] = []
    honest = os.fsync

    def noting(descriptor: int) -> None:
        kind = "folder" if Path(f"/proc/self/fd/{descriptor}").resolve().is_dir() else "file"
        calls.append(f"fsync {kind}")
        honest(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", noting)
        rename = Path.rename

        def renaming(self: Path, target: Path) -> Path:
            calls.append("rename")
            return rename(self, target)

        patch.setattr(Path, "rename", renaming)
        FileStore(tmp_path).put(b"x")
    assert calls == ["fsync file", "rename", "fsync folder"]
