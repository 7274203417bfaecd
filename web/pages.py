"""What every page needs: who reads it, in which language, and how it is written.

``Visit`` is one request with its database session. Asking for it checks the token of every form
that changes something (F-10), so a route cannot forget to.
"""

import hmac
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs, quote

from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from storage.database import Session, open_session
from storage.people import ABSOLUTE, find_session
from storage.tables import Person, WebSession
from web.formats import Formats
from web.site import Site
from web.translations import choose_language

MAX_FIELDS = 200
SAFE_METHODS = ("GET", "HEAD")


class SignInRequired(Exception):
    """Only a signed-in person may see this page."""


@dataclass
class Visit:
    """One request: its reader, its database session and the fields of its form."""

    request: Request
    site: Site
    db: Session
    now: datetime
    person: Person | None = None
    web_session: WebSession | None = None
    visitor: str = ""  # the token of forms before anybody has signed in
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def language(self) -> str:
        return choose_language(
            None if self.person is None else self.person.language,
            self.request.cookies.get(self.site.cookie("odzew-language")),
            accept_language=self.request.headers.get("accept-language", ""),
        )

    @property
    def formats(self) -> Formats:
        return self.site.formats(self.language)

    @property
    def csrf_token(self) -> str:
        return self.visitor if self.web_session is None else self.web_session.csrf_token

    @property
    def me(self) -> Person:
        """The signed-in person; only where the route asked for one."""
        assert self.person is not None
        return self.person

    def gettext(self, text: str) -> str:
        return self.site.catalogues[self.language].gettext(text)

    def page(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        path, query = self.request.url.path, self.request.url.query
        html = self.site.write(
            template,
            self.language,
            **{
                "person": self.person,
                "csrf_token": self.csrf_token,
                "flash": self.request.cookies.get(self.site.cookie("odzew-flash"), ""),
                "here": f"{path}?{query}" if query else path,
                **context,
            },
        )
        response = HTMLResponse(html, status_code=status)
        if self.site.cookie("odzew-flash") in self.request.cookies:
            response.delete_cookie(
                self.site.cookie("odzew-flash"), secure=self.site.behind_tls, httponly=True
            )
        if self.person is None:
            self.set_cookie(response, "odzew-visitor", self.visitor)
        return response

    def go(self, path: str, *, flash: str = "") -> RedirectResponse:
        """Answer a form by another page; ``flash`` is the code of a sentence shown there once."""
        response = RedirectResponse(path, status_code=303)
        if flash:
            self.set_cookie(response, "odzew-flash", flash, life=timedelta(minutes=1))
        return response

    def set_cookie(
        self, response: Response, name: str, value: str, *, life: timedelta = ABSOLUTE
    ) -> None:
        response.set_cookie(
            self.site.cookie(name),
            value,
            max_age=int(life.total_seconds()),
            path="/",
            secure=self.site.behind_tls,
            httponly=True,
            samesite="lax",
        )


async def read_fields(request: Request) -> dict[str, str]:
    """The fields of a form, the first value of each; nothing for a request that only reads."""
    if request.method in SAFE_METHODS:
        return {}
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    try:
        body = (await request.body()).decode("utf-8")
        fields = parse_qs(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise HTTPException(400) from None
    if any("\0" in value for values in fields.values() for value in values):
        raise HTTPException(400)
    return {name: values[0] for name, values in fields.items()}


def visit(
    request: Request, fields: Annotated[dict[str, str], Depends(read_fields)]
) -> Iterator[Visit]:
    """Anybody's request; one that changes something must carry its form's token."""
    site: Site = request.app.state.site
    now = site.clock()
    with open_session(site.engine) as db:
        visitor = request.cookies.get(site.cookie("odzew-visitor"), "")
        found = None
        if token := request.cookies.get(site.cookie("odzew"), ""):
            found = find_session(db, token, now=now)
            db.commit()  # when the session was last used, at most once a minute
        this = Visit(
            request=request,
            site=site,
            db=db,
            now=now,
            web_session=None if found is None else found[0],
            person=None if found is None else found[1],
            visitor=visitor or secrets.token_urlsafe(24),
            fields=fields,
        )
        if request.method not in SAFE_METHODS:
            expected = this.csrf_token if this.web_session is not None else visitor
            given = fields.get("csrf_token", "")
            if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
                raise HTTPException(403)
        yield this


AnyVisit = Annotated[Visit, Depends(visit)]


def signed_in(this: AnyVisit) -> Visit:
    if this.person is None:
        raise SignInRequired
    return this


SignedIn = Annotated[Visit, Depends(signed_in)]


def local_path(path: str) -> str:
    """The path if it stays on this site, else the queue: no redirect to strangers."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_local and path.isascii() else "/"


def sign_in_path(request: Request) -> str:
    """The sign-in page that leads back to where a reader wanted to go."""
    path, query = request.url.path, request.url.query
    if request.method not in SAFE_METHODS or path == "/":
        return "/sign-in"
    return "/sign-in?next=" + quote(f"{path}?{query}" if query else path, safe="")
