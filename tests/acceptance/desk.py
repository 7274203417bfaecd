"""A shop's installation as its owner has it: a folder with odzew.toml, and the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Desk:
    """Runs ``odzew`` in a folder of its own, as a process of its own."""

    def __init__(self, folder: Path, configuration: str, **environment: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "odzew.toml").write_text(configuration, encoding="utf-8")
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("ODZEW_")
        }
        self.environment |= {"PYTHONPATH": str(ROOT)} | environment

    def run(
        self, *arguments: str, status: int = 0, text: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end; ``text`` is its standard input."""
        done = subprocess.run(
            [sys.executable, "-m", "odzew", *arguments],
            cwd=self.folder,
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stderr}"
        return done

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command that stays; ``with`` it, the caller ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "odzew", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        """What a command prints with ``--json``."""
        return objects_in(self.run(*arguments, "--json").stdout)


def objects_in(lines: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]


def configuration(
    *,
    user: str,
    imap_port: int,
    smtp_port: int,
    imap_security: str = "none",
    imap_host: str = "127.0.0.1",
    ca_file: Path | None = None,
    database: str = "sqlite:///var/odzew.db",
    start: str = "all",
    web_port: int = 8080,
    more: str = "",
) -> str:
    """The TOML of a small shop whose servers are on this machine."""
    authority = f'ca_file = "{ca_file}"' if ca_file else ""
    return f"""
[shop]
name = "Sklep Przykładny"
address = "ul. Przykładowa 1, 00-001 Warszawa"
own_domains = ["sklep.test"]
trusted_forwarders = ["biuro@sklep.test"]

[database]
url = "{database}"

[[mailboxes]]
name = "reklamacje"
host = "{imap_host}"
port = {imap_port}
security = "{imap_security}"
username = "{user}"
password_env = "ODZEW_TEST_PASSWORD"
start = "{start}"
poll_seconds = 1
{authority}

[smtp]
host = "127.0.0.1"
port = {smtp_port}
security = "none"
sender = "Sklep Przykładny <reklamacje@sklep.test>"
retry_seconds = [1, 1, 1, 1, 1]

[web]
port = {web_port}
{more}
"""
