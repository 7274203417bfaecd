"""The first person who may sign in (F-03): no default password, a link that works once."""

from datetime import UTC, datetime

from storage.database import Engine, open_session
from storage.people import add_person, all_people, create_link, find_person
from storage.tables import Person

FIRST = "admin@localhost"


def first_link(engine: Engine) -> str | None:
    """A path that signs the first admin in once, or None where somebody has a password."""
    with open_session(engine) as session:
        people = all_people(session)
        if any(person.password_hash for person in people):
            return None
        admin = find_person(session, FIRST) or add_person(
            session, Person(email=FIRST, name="Administrator", role="admin")
        )
        token = create_link(session, admin, now=datetime.now(UTC))
        session.commit()
    return f"/sign-in/link?token={token}"
