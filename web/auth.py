"""Signing in, by e-mail and password or by a one-time link, and signing out."""

import logging
from collections import OrderedDict
from datetime import datetime
from threading import Lock

from fastapi import APIRouter, Request
from fastapi.responses import Response

from storage.people import (
    count_attempt,
    end_session,
    find_person,
    forget_attempts,
    start_session,
    use_link,
    wait_after,
)
from storage.tables import Person
from web.pages import AnyVisit, Visit, local_path
from web.passwords import (
    PasswordRefusedError,
    hash_password,
    needs_rehash,
    verify_password,
)
from web.translations import LANGUAGES

log = logging.getLogger(__name__)
router = APIRouter()


class Strangers:
    """Sign-ins with addresses nobody has: they wait as people's do, so nothing tells them apart.

    Only the last thousand addresses are remembered, in this process.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[int, datetime]] = OrderedDict()
        self._lock = Lock()

    def count_attempt(self, email: str, *, now: datetime) -> bool:
        with self._lock:
            attempts, locked_until = self._seen.pop(email, (0, now))
            may_try = locked_until <= now
            if may_try:
                attempts += 1
                locked_until = now + wait_after(attempts)
            self._seen[email] = (attempts, locked_until)
            if len(self._seen) > 1000:
                self._seen.popitem(last=False)
            return may_try


@router.get("/sign-in")
def show_sign_in(visit: AnyVisit, next: str = "/") -> Response:
    if visit.person is not None:
        return visit.go("/")
    return visit.page("sign_in.html", next=local_path(next), email="", problem="")


@router.post("/sign-in")
def sign_in(visit: AnyVisit, request: Request) -> Response:
    """Compare a password; the answer and its time are the same for an address nobody has."""
    email = visit.fields.get("email", "").strip().lower()[:254]
    destination = local_path(visit.fields.get("next", "/"))
    person = find_person(visit.db, email)
    strangers: Strangers = request.app.state.strangers
    if person is None:
        may_try = strangers.count_attempt(email, now=visit.now)
    else:
        may_try = count_attempt(visit.db, person, now=visit.now)
        visit.db.commit()
    if not may_try:
        return _try_again(visit, email, destination, problem="wait", status=429)
    password = visit.fields.get("password", "")
    if not verify_password(None if person is None else person.password_hash, password):
        log.warning("sign-in refused", extra={"person": person and person.id})
        return _try_again(visit, email, destination, problem="wrong", status=403)
    assert person is not None
    if person.disabled:
        return _try_again(visit, email, destination, problem="wrong", status=403)
    _renew_hash(person, password)
    return _enter(visit, person, destination)


def _try_again(
    visit: Visit, email: str, destination: str, *, problem: str, status: int
) -> Response:
    return visit.page(
        "sign_in.html",
        status=status,
        next=destination,
        email=email,
        problem=problem,
        here="/sign-in",
    )


def _renew_hash(person: Person, password: str) -> None:
    """Hash anew where today's parameters are others (F-01)."""
    assert person.password_hash is not None
    if not needs_rehash(person.password_hash):
        return
    try:
        person.password_hash = hash_password(password, email=person.email)
    except PasswordRefusedError:
        log.info("password is weaker than today's rule", extra={"person": person.id})


@router.get("/sign-in/link")
def show_link(visit: AnyVisit, token: str = "") -> Response:
    """A page with one button: a scanner that opens links in mail does not use the link up."""
    return visit.page("sign_in_link.html", token=token[:200], problem="")


@router.post("/sign-in/link")
def sign_in_by_link(visit: AnyVisit) -> Response:
    person = use_link(visit.db, visit.fields.get("token", ""), now=visit.now)
    if person is None:
        visit.db.rollback()
        return visit.page(
            "sign_in_link.html", status=403, token="", problem="used", here="/sign-in"
        )
    return _enter(visit, person, "/")


def _enter(visit: Visit, person: Person, destination: str) -> Response:
    """A new session with a new id; the one that the browser had, if any, ends (F-04)."""
    forget_attempts(visit.db, person)
    _leave(visit)
    token = start_session(visit.db, person, now=visit.now)
    visit.db.commit()
    log.info("signed in", extra={"person": person.id})
    response = visit.go(destination)
    visit.set_cookie(response, "odzew", token)
    return response


def _leave(visit: Visit) -> None:
    if token := visit.request.cookies.get(visit.site.cookie("odzew"), ""):
        end_session(visit.db, token)


@router.post("/sign-out")
def sign_out(visit: AnyVisit) -> Response:
    _leave(visit)
    visit.db.commit()
    response = visit.go("/sign-in", flash="signed-out")
    response.delete_cookie(visit.site.cookie("odzew"), secure=visit.site.behind_tls, httponly=True)
    return response


@router.post("/language")
def switch_language(visit: AnyVisit) -> Response:
    """Read the page in another language from now on; a signed-in person's setting changes too."""
    language = visit.fields.get("language", "")
    response = visit.go(local_path(visit.fields.get("next", "/")))
    if language in LANGUAGES:
        visit.set_cookie(response, "odzew-language", language)
        if visit.person is not None:
            visit.person.language = language
            visit.db.add(visit.person)
            visit.db.commit()
    return response
