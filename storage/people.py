"""People who sign in, their sessions and one-time links. Only hashes of secrets are stored."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from storage.tables import Person, SignInLink, WebSession

IDLE = timedelta(hours=8)
ABSOLUTE = timedelta(hours=24)
LINK_LIFE = timedelta(hours=1)
FREE_ATTEMPTS = 5  # wrong passwords before a person has to wait
LONGEST_WAIT = timedelta(minutes=15)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def find_person(session: Session, email: str) -> Person | None:
    return session.exec(select(Person).where(Person.email == email.strip().lower())).first()


def all_people(session: Session) -> Sequence[Person]:
    return session.exec(select(Person).order_by(Person.email)).all()


def add_person(session: Session, person: Person) -> Person:
    person.email = person.email.strip().lower()
    session.add(person)
    session.flush()
    return person


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many failed sign-ins: 15 s, doubled up to 15 min (F-07)."""
    if attempts < FREE_ATTEMPTS:
        return timedelta(0)
    doublings = min(attempts - FREE_ATTEMPTS, 10)
    return min(timedelta(seconds=15 << doublings), LONGEST_WAIT)


def count_attempt(session: Session, person: Person, *, now: datetime) -> bool:
    """Count a sign-in before its password is looked at; False while the person has to wait.

    The caller commits before it verifies, so that guesses in parallel cannot outrun the counter.
    """
    attempts = session.execute(
        update(Person)
        .where(
            col(Person.id) == person.id,
            col(Person.locked_until).is_(None) | (col(Person.locked_until) <= now),
        )
        .values(failed_sign_ins=Person.failed_sign_ins + 1)
        .returning(col(Person.failed_sign_ins))
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if attempts is None:
        return False
    wait = wait_after(attempts)
    session.refresh(person)
    person.locked_until = now + wait if wait else None
    session.add(person)
    return True


def forget_attempts(session: Session, person: Person) -> None:
    """After a sign-in that succeeded."""
    person.failed_sign_ins, person.locked_until = 0, None
    session.add(person)


def create_link(session: Session, person: Person, *, now: datetime) -> str:
    """A token that signs this person in once within the hour."""
    token = secrets.token_urlsafe(32)
    assert person.id is not None
    session.add(
        SignInLink(token_sha256=_hash(token), person_id=person.id, expires_at=now + LINK_LIFE)
    )
    return token


def use_link(session: Session, token: str, *, now: datetime) -> Person | None:
    """The person of an unused, unexpired link; the link is used up in the same statement."""
    person_id = session.execute(
        update(SignInLink)
        .where(
            col(SignInLink.token_sha256) == _hash(token),
            col(SignInLink.used_at).is_(None),
            col(SignInLink.expires_at) > now,
        )
        .values(used_at=now)
        .returning(col(SignInLink.person_id))
    ).scalar_one_or_none()
    person = None if person_id is None else session.get(Person, person_id)
    return None if person is None or person.disabled else person


def start_session(session: Session, person: Person, *, now: datetime) -> str:
    """A new signed-in session; returns the cookie's value, which is not stored."""
    token = secrets.token_urlsafe(32)
    assert person.id is not None
    session.execute(delete(WebSession).where(col(WebSession.last_seen_at) < now - ABSOLUTE))
    session.add(
        WebSession(
            token_sha256=_hash(token),
            person_id=person.id,
            csrf_token=secrets.token_urlsafe(32),
            created_at=now,
            last_seen_at=now,
        )
    )
    return token


def find_session(
    session: Session, token: str, *, now: datetime
) -> tuple[WebSession, Person] | None:
    """The session of a cookie, if it has not been idle for 8 h nor lasted 24 h (F-04)."""
    row = session.exec(
        select(WebSession, Person)
        .join(Person, col(Person.id) == WebSession.person_id)
        .where(
            WebSession.token_sha256 == _hash(token),
            col(WebSession.last_seen_at) > now - IDLE,
            col(WebSession.created_at) > now - ABSOLUTE,
            col(Person.disabled).is_(False),
        )
    ).first()
    if row is None:
        return None
    web_session, person = row
    if now - web_session.last_seen_at > timedelta(minutes=1):
        web_session.last_seen_at = now
        session.add(web_session)
    return web_session, person


def end_session(session: Session, token: str) -> None:
    session.execute(delete(WebSession).where(col(WebSession.token_sha256) == _hash(token)))


def end_all_sessions(session: Session, person: Person) -> None:
    session.execute(delete(WebSession).where(col(WebSession.person_id) == person.id))
