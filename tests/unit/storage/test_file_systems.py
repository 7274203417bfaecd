"""SQLite is refused on a network file system."""

import pytest

from config.errors import PermanentError
from storage import file_systems
from storage.database import migrate, open_database
from storage.file_systems import network_file_system


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Says to the code that something is mounted at a folder, as /proc/self/mountinfo would."""
    table = tmp_path / "mountinfo"
    lines = ["22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"]

    def mount(folder, kind):
        point = str(folder).replace(" ", "\\040")
        lines.append(f"30 22 0:40 / {point} rw - {kind} server:/export rw,vers=4.2")
        table.write_text("\n".join(lines))
        monkeypatch.setattr(file_systems, "MOUNTS", table)

    return mount


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_folder_of_another_machine_is_known(tmp_path, mounted, kind):
    share = tmp_path / "a share"
    mounted(share, kind)
    assert network_file_system(share / "below" / "odzew.db") == kind
    assert network_file_system(tmp_path / "a share of ours") is None


def test_a_local_disk_inside_a_share_is_local(tmp_path, mounted):
    mounted(tmp_path, "nfs4")
    mounted(tmp_path / "disk", "xfs")
    assert network_file_system(tmp_path / "disk" / "odzew.db") is None


def test_a_system_that_does_not_tell_is_believed(tmp_path, monkeypatch):
    monkeypatch.setattr(file_systems, "MOUNTS", tmp_path / "absent")
    assert network_file_system(tmp_path) is None


def test_a_database_on_a_share_is_refused_in_one_sentence(tmp_path, mounted):
    mounted(tmp_path / "share", "nfs4")
    engine = open_database(f"sqlite:///{tmp_path}/share/odzew.db")
    with pytest.raises(PermanentError, match=r"network file system \(nfs4\)"):
        migrate(engine)
    assert not (tmp_path / "share" / "odzew.db").exists()
