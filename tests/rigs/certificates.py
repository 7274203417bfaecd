"""A certificate authority of the test run, and a certificate for localhost signed by it."""

import subprocess
from pathlib import Path

from tests.rigs.process import require

AUTHORITY = [
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign,cRLSign",
]
SERVER = [
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature",
    "extendedKeyUsage=serverAuth",
    "subjectAltName=DNS:localhost,IP:127.0.0.1",
]


class Certificates:
    """PEM files in one folder. ``authority`` is what a client must trust."""

    def __init__(self, folder: Path, *, days: int = 2) -> None:
        """days: how long both are valid; a negative number makes them expired ones."""
        self.authority, authority_key = folder / "authority.pem", folder / "authority-key.pem"
        self.certificate, self.key = folder / "localhost.pem", folder / "localhost-key.pem"
        _make(self.authority, authority_key, "odzew test authority", AUTHORITY, days, [])
        signed_by = ["-CA", str(self.authority), "-CAkey", str(authority_key)]
        _make(self.certificate, self.key, "localhost", SERVER, days, signed_by)


def _make(
    certificate: Path, key: Path, name: str, extensions: list[str], days: int, signed_by: list[str]
) -> None:
    command = [require("/usr/bin/openssl", "openssl"), "req", "-x509", "-nodes"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-subj", f"/CN={name}", "-days", str(days), "-config", "/dev/null"]
    command += [word for extension in extensions for word in ("-addext", extension)]
    command += ["-keyout", str(key), "-out", str(certificate), *signed_by]
    subprocess.run(command, check=True, capture_output=True)
