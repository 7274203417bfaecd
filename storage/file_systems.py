"""Whether a folder lies on another machine, where SQLite must not be.

Its locks and the shared memory of its write-ahead log do not hold over a network: two processes
damage the file (sqlite.org/wal.html, "Overview", and sqlite.org/howtocorrupt.html, section 2).
"""

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")  # proc(5); on other systems nothing is known
NETWORK = frozenset(
    """
    nfs nfs4 cifs smb3 smbfs ncpfs afs ceph lustre gfs2 ocfs2 beegfs
    fuse.sshfs fuse.glusterfs fuse.s3fs fuse.rclone fuse.davfs fuse.curlftpfs davfs
    """.split()  # noqa: SIM905 - as a list of literals nobody could read it
)
_OCTAL = re.compile(r"\\([0-7]{3})")


def network_file_system(path: Path) -> str | None:
    """The name of the network file system on which a path lies, or None."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    wanted, kind, depth = path.resolve(), "", -1
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, described = before.split(), after.split()
        if len(fields) < 5 or not described:
            continue
        point = Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[4]))
        # Of several mounts at one place the last one is seen.
        if wanted.is_relative_to(point) and len(point.parts) >= depth:
            kind, depth = described[0], len(point.parts)
    return kind if kind in NETWORK else None
