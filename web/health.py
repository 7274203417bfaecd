"""For a load balancer or a supervisor: is the process alive, and can it work?"""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from storage.reports import is_reachable
from web.site import Site

router = APIRouter()


@router.get("/healthz")
def alive() -> PlainTextResponse:
    """The process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def ready(request: Request) -> PlainTextResponse:
    """The database answers as well."""
    site: Site = request.app.state.site
    if is_reachable(site.engine):
        return PlainTextResponse("ok\n")
    return PlainTextResponse("the database cannot be reached\n", status_code=503)
