"""A certificate authority of the test run, and a certificate for localhost signed by it."""

import subprocess
from collections.abc import Sequence
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

    def __init__(self, folder: Path) -> None:
        self.authority, self._authority_key = folder / "authority.pem", folder / "authority-key.pem"
        self.certificate, self.key = folder / "localhost.pem", folder / "localhost-key.pem"
        _request(
            "odzew test authority",
            AUTHORITY,
            key=self._authority_key,
            output=self.authority,
            more=["-x509", "-days", "2"],
        )
        self.renew()

    def renew(self, *, days: int = 2) -> None:
        """The server gets another certificate; with a negative number, an expired one."""
        request = self.certificate.with_suffix(".csr")
        _request("localhost", SERVER, key=self.key, output=request)
        command = [_openssl(), "x509", "-req", "-in", str(request), "-copy_extensions", "copyall"]
        command += ["-CA", str(self.authority), "-CAkey", str(self._authority_key)]
        command += ["-days", str(days), "-out", str(self.certificate)]
        subprocess.run(command, check=True, capture_output=True)


def _openssl() -> str:
    return require("/usr/bin/openssl", "openssl")


def _request(
    name: str, extensions: list[str], *, key: Path, output: Path, more: Sequence[str] = ()
) -> None:
    command = [_openssl(), "req", "-new", "-nodes", "-config", "/dev/null", *more]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-subj", f"/CN={name}", "-keyout", str(key), "-out", str(output)]
    command += [word for extension in extensions for word in ("-addext", extension)]
    subprocess.run(command, check=True, capture_output=True)
