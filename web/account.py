"""A person's own account: set a password, sign out everywhere."""

from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from storage.people import end_all_sessions, start_session
from web.pages import SignedIn, Visit
from web.passwords import MIN_CHARACTERS, PasswordRefusedError, hash_password

router = APIRouter()

# A password may be changed only soon after signing in, by whichever way: an unattended browser
# must not be enough (F-04).
FRESH = timedelta(minutes=15)


def _is_fresh(visit: Visit) -> bool:
    assert visit.web_session is not None
    return visit.now - visit.web_session.created_at <= FRESH


@router.get("/account")
def show_account(visit: SignedIn) -> Response:
    return _page(visit)


@router.post("/account/password")
def change_password(visit: SignedIn) -> Response:
    """Set a password; every other session of this person ends."""
    if not _is_fresh(visit):
        return _page(visit, problem="stale", status=403)
    password = visit.fields.get("password", "")
    if password != visit.fields.get("repeated", ""):
        return _page(visit, problem="different", status=422)
    try:
        visit.me.password_hash = hash_password(password, email=visit.me.email)
    except PasswordRefusedError as error:
        return _page(visit, problem=error.reason, status=422)
    visit.db.add(visit.me)
    end_all_sessions(visit.db, visit.me)
    token = start_session(visit.db, visit.me, now=visit.now)
    visit.db.commit()
    response = visit.go("/account", flash="password")
    visit.set_cookie(response, "odzew", token)
    return response


@router.post("/account/sign-out-everywhere")
def sign_out_everywhere(visit: SignedIn) -> Response:
    end_all_sessions(visit.db, visit.me)
    visit.db.commit()
    return visit.go("/sign-in", flash="signed-out-everywhere")


def _page(visit: Visit, *, problem: str = "", status: int = 200) -> Response:
    return visit.page(
        "account.html",
        status=status,
        problem=problem,
        is_fresh=_is_fresh(visit),
        min_characters=MIN_CHARACTERS,
        here="/account",
    )
