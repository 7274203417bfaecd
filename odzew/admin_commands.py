"""Commands for administrators: doctor, users, the database."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from config.errors import PermanentError
from config.settings import load_settings
from odzew.opening import open_and_migrate, open_context
from odzew.options import AsJson, Config
from odzew.output import console, errors, print_json, print_table, say
from storage.backup import after_restore, back_up, restore
from storage.database import open_database, open_session
from storage.people import add_person, all_people, end_all_sessions, find_person
from storage.tables import ROLES, Person

users = typer.Typer(help="People who may sign in.", no_args_is_help=True)
db = typer.Typer(help="The database.", no_args_is_help=True)


def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Try the configuration, database, mailboxes, SMTP, classifier, clock and disk.

    Example: odzew doctor
    """
    from odzew.doctor import examine

    all_well = True
    for finding in examine(config):
        all_well = all_well and finding.ok
        if as_json:
            print_json([finding.as_json()])
            continue
        mark = "[green]ok[/]  " if finding.ok else "[red]bad[/] "
        console.print(mark, end="")
        say(
            f"{finding.check}: {finding.found}"
            + (f" -> {finding.advice}" if finding.advice else "")
        )
    if not all_well:
        sys.exit(1)


@users.command("add")
def add_user(
    email: Annotated[str, typer.Argument(help="E-mail address, the name to sign in with.")],
    name: Annotated[str, typer.Option("--name", help="Shown in the history.")] = "",
    role: Annotated[str, typer.Option("--role", help="agent, lead or admin.")] = "lead",
    language: Annotated[str, typer.Option("--language", help="pl or en.")] = "pl",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    config: Config = None,
) -> None:
    """Add a person, or give one a new password. Example: odzew users add anna@sklep.example"""
    from web.passwords import hash_password

    if role not in ROLES:
        raise typer.BadParameter(f"--role: {role!r} is not known; allowed: {', '.join(ROLES)}")
    if language not in ("pl", "en"):
        raise typer.BadParameter(f"--language: {language!r} is not known; allowed: pl, en")
    if "@" not in email:
        raise typer.BadParameter(f"{email!r} is not an e-mail address")
    engine = open_and_migrate(load_settings(config))
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    password_hash = hash_password(password, email=email)
    with open_session(engine) as session:
        person = find_person(session, email) or add_person(
            session, Person(email=email, name=name or email, role=role)
        )
        person.role, person.language, person.disabled = role, language, False
        person.name = name or person.name
        person.password_hash = password_hash
        session.add(person)
        end_all_sessions(session, person)
        session.commit()
    say(f"{email} may sign in as {role}.")


@users.command("list")
def list_users(config: Config = None, as_json: AsJson = False) -> None:
    """Who may sign in. Example: odzew users list"""
    engine = open_and_migrate(load_settings(config))
    with open_session(engine) as session:
        people = all_people(session)
    if as_json:
        print_json(
            {"email": p.email, "name": p.name, "role": p.role, "disabled": p.disabled}
            for p in people
        )
    else:
        print_table(
            "Users",
            ("e-mail", "name", "role", "disabled"),
            ((p.email, p.name, p.role, "yes" if p.disabled else "") for p in people),
        )


@users.command("disable")
def disable_user(email: str, config: Config = None) -> None:
    """Sign a person out everywhere and for good. Example: odzew users disable jan@sklep.example"""
    engine = open_and_migrate(load_settings(config))
    with open_session(engine) as session:
        person = find_person(session, email)
        if person is None:
            raise PermanentError(f"nobody has the address {email!r}; see `odzew users list`")
        person.disabled = True
        session.add(person)
        end_all_sessions(session, person)
        session.commit()
    say(f"{email} may no longer sign in.")


@db.command("upgrade")
def upgrade(config: Config = None) -> None:
    """Bring the schema up to date; every command does so too. Example: odzew db upgrade"""
    engine = open_and_migrate(load_settings(config))
    say(f"{engine.url.render_as_string(hide_password=True)} is up to date.")


@db.command("backup")
def backup(
    folder: Annotated[Path, typer.Argument(help="Where the copy goes, in a folder of its own.")],
    config: Config = None,
) -> None:
    """Copy database, files and classifiers, while odzew runs. Example: odzew db backup /backups"""
    context = open_context(config)
    with Progress(console=errors, transient=True) as progress:
        task = progress.add_task("copying", total=None)
        made = back_up(
            context.engine,
            context.settings.storage.path,
            folder,
            now=context.clock(),
            on_progress=lambda done: progress.update(task, completed=done),
        )
    say(f"{made} is a whole backup.")


@db.command("restore")
def restore_backup(
    folder: Annotated[Path, typer.Argument(exists=True, help="What odzew db backup has made.")],
    config: Config = None,
) -> None:
    """Bring a backup back into an empty database and folder. Example: odzew db restore PATH

    Nobody is acknowledged twice: what waited then is for a person to decide.
    """
    settings = load_settings(config)
    engine = open_database(settings.database.url)
    restore(engine, settings.storage.path, folder)
    context = open_context(config)
    with open_session(context.engine) as session:
        undecided = after_restore(session, now=context.clock())
    say(f"{folder} is restored. {undecided} acknowledgements of unknown fate: see odzew outbox.")


@db.command("check")
def check(config: Config = None) -> None:
    """Count the ledger and its outcomes; they must agree. Example: odzew db check"""
    from storage.mail import count_ledger, outcome_counts

    engine = open_and_migrate(load_settings(config))
    with open_session(engine) as session:
        rows, counts = count_ledger(session), outcome_counts(session)
    if rows != sum(counts.values()):
        raise PermanentError(f"{rows} messages but {sum(counts.values())} outcomes")
    say(f"{rows} messages, each with one outcome: {counts}")
