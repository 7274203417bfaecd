"""Commands on single mails and texts: parse, classify, acknowledge --dry-run. Nothing is stored."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from email import message_from_string
from email.header import Header
from email.policy import default
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.progress import track

from config.errors import PermanentError
from config.settings import ConfigurationError, Settings, load_settings
from odzew.options import AsJson, Config
from odzew.output import errors, print_json, print_table, say

BATCH = 256  # texts classified at once
FIELD = re.compile(rb"(?:From |[!-9;-~]+[ \t]*:)")


def parse(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders of .eml, .txt, .html.")],
    as_json: AsJson = False,
    body: Annotated[
        str, typer.Option("--body", help="The files are only a body: text or html.")
    ] = "",
    subject: Annotated[str, typer.Option("--subject", help="The subject of a body.")] = "",
    own_domain: Annotated[
        list[str] | None, typer.Option("--own-domain", help="A domain of the shop.")
    ] = None,
    trusted_forwarder: Annotated[
        list[str] | None,
        typer.Option("--trusted-forwarder", help="An address whose forwards are unwrapped."),
    ] = None,
    config: Config = None,
) -> None:
    """Mails to parsed messages; no mail is refused. Example: odzew parse --json inbox/"""
    from dataclasses import replace

    from config.addresses import plain_address
    from worker.context import known_addresses
    from worker.mime import parse as parse_mail
    from worker.parsed_json import to_json

    if body not in ("", "text", "html"):
        raise typer.BadParameter(f"--body: {body!r} is not known; allowed: text, html")
    known = known_addresses(settings_or_default(config))
    if own_domain:
        known = replace(known, own_domains=tuple(map(plain_address, own_domain)))
    if trusted_forwarder:
        known = replace(known, trusted_forwarders=tuple(map(plain_address, trusted_forwarder)))

    def parsed() -> Iterator[dict[str, Any]]:
        for path in mail_files(paths):
            content = path.read_bytes()
            kind = body or _kind_of_file(path, content)
            if kind != "mail":
                content = as_mail(content, html=kind == "html", subject=subject)
            yield to_json(str(path), parse_mail(content, known))

    if as_json:
        print_json(parsed())
        return
    print_table(
        "Messages",
        ("file", "kind", "from", "requester", "subject", "text"),
        (
            (
                Path(m["file"]).name,
                m["kind"],
                m["from_addr"],
                m["requester_addr"],
                m["subject"][:60],
                " ".join(m["text"].split())[:80],
            )
            for m in parsed()
        ),
    )


def _kind_of_file(path: Path, content: bytes) -> str:
    """mail, text or html: a whole mail begins with a header field (RFC 5322 §2.2)."""
    if path.suffix.lower() in (".html", ".htm"):
        return "html"
    if path.suffix.lower() == ".txt" and not FIELD.match(content):
        return "text"
    return "mail"


def as_mail(content: bytes, *, html: bool, subject: str) -> bytes:
    """A body alone as a message with as few fields as possible."""
    kind = "html" if html else "plain"
    fields = {
        "Subject": Header(subject, "utf-8").encode() if subject else "",
        "MIME-Version": "1.0",
        "Content-Type": f"text/{kind}; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return head.encode("ascii") + b"\r\n" + content


def mail_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files named, and those in folders, recursively and sorted."""
    for path in paths:
        if path.is_dir():
            yield from (
                file
                for file in sorted(path.rglob("*"))
                if file.is_file() and file.suffix.lower() in (".eml", ".txt", ".html", ".htm")
            )
        elif path.is_file():
            yield path
        else:
            raise PermanentError(f"{path} is neither a file nor a folder")


def settings_or_default(config: Path | None) -> Settings:
    """The configuration where there is one; these commands work without."""
    try:
        return load_settings(config)
    except ConfigurationError:
        if config is not None or Path("odzew.toml").exists():
            raise
        return Settings()


def classify(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(help='JSON lines {"id", "subject", "body"}; - is stdin.'),
    ] = "-",  # type: ignore[assignment]
    classifier: Annotated[
        Path | None, typer.Option("--classifier", help="A version's folder; else the active one.")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say which sentences or words decided; many times slower."),
    ] = False,
    config: Config = None,
) -> None:
    """JSON lines in, JSON lines with cause and urgency out. Example: odzew classify cases.jsonl"""
    from models.registry import default_folder
    from triage.evidence import explain as evidence_of
    from triage.triager import Triager

    folder = classifier or _active_folder(config)
    triager = Triager.load(folder, encoder_folder=default_folder())
    failed = False
    batches = list(_batches(file))
    shown = errors.is_terminal and len(batches) > 1
    for batch in track(batches, "classifying", console=errors, disable=not shown):
        good = [case for case in batch if "error" not in case]
        results = iter(triager.triage([_subject_and_body(case) for case in good]))
        failed = failed or len(good) < len(batch)
        print_json(
            case
            if "error" in case
            else _classified(
                case,
                next(results),
                evidence_of(triager, *_subject_and_body(case)) if explain else (),
            )
            for case in batch
        )
    if failed:
        sys.exit(1)


def _active_folder(config: Path | None) -> Path:
    """The active version of the installation configured here; the shipped one where none is."""
    from models.registry import active_folder, default_folder
    from odzew.opening import open_and_migrate
    from storage.database import open_session

    settings = settings_or_default(config)
    if config is None and not Path("odzew.toml").exists():
        return default_folder()
    with open_session(open_and_migrate(settings)) as session:
        return active_folder(session, settings.storage.path) or default_folder()


def _batches(lines: BinaryIO) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        batch.append(_case(number, line))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _case(number: int, line: bytes) -> dict[str, Any]:
    try:
        case = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {"id": None, "error": f"line {number}: not JSON: {error}"}
    if not isinstance(case, dict) or not isinstance(case.get("body") or "", str):
        return {"id": None, "error": f"line {number}: expected an object with subject and body"}
    case.pop("error", None)
    return {"id": None} | case


def _subject_and_body(case: dict[str, Any]) -> tuple[str, str]:
    return str(case.get("subject") or ""), str(case.get("body") or "")


def _classified(case: dict[str, Any], result: Any, evidence: Iterable[Any]) -> dict[str, Any]:
    from triage.entities import extract

    passed = {key: value for key, value in case.items() if key not in ("subject", "body")}
    text = "\n".join(_subject_and_body(case))
    return passed | {
        "cause": result.cause,
        "cause_confidence": round(result.cause_confidence, 6),
        "urgency": result.urgency,
        "urgency_confidence": round(result.urgency_confidence, 6),
        "needs_review": result.needs_review,
        "level": result.level,
        "secondary": list(result.secondary),
        "causes": dict(result.causes),
        "urgencies": dict(result.urgencies),
        "evidence": [asdict(part) for part in evidence],
        "facts": [asdict(fact) for fact in result.facts],
        "entities": extract(text).as_json(),
        "classifier": result.classifier,
    }


def acknowledge(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A mail (.eml).")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Required: nothing is ever sent from here.")
    ] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """What would be sent for this mail and why, or why not.

    Example: odzew acknowledge --dry-run mail.eml
    """
    from odzew.dry_run import decision_for

    if not dry_run:
        raise typer.BadParameter("only --dry-run is possible here; `odzew worker` is what sends")
    decided = decision_for(file.read_bytes(), settings_or_default(config))
    if as_json:
        print_json([decided])
        return
    say(f"ticket: {'yes' if decided['create_ticket'] else 'no'}")
    say(f"acknowledge: {'yes, to ' + decided['to'] if decided['acknowledge'] else 'no'}")
    say(f"reason: {decided['reason']}")
    if decided["message"]:
        message = message_from_string(decided["message"], policy=default)
        say(f"\nSubject: {message['Subject']}\n\n{message.get_content()}")
