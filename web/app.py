"""The page as an application: routers, static files, guards and error pages."""

import logging
import secrets
from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from config.settings import Settings
from config.taxonomy import Taxonomy
from storage.database import DATABASE_DOWN, Engine
from storage.files import FileStore
from web import account, auth, health, metrics, review_queue, reviews, tickets
from web.pages import SignInRequired, sign_in_path
from web.security import Guard
from web.site import STATIC, Site
from web.translations import choose_language

log = logging.getLogger(__name__)


class _KeptFiles(StaticFiles):
    """Static files whose address changes with their content."""

    def file_response(self, *args: object, **options: object) -> Response:
        response: Response = super().file_response(*args, **options)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def create_app(
    settings: Settings,
    engine: Engine,
    taxonomy: Taxonomy,
    files: FileStore,
    *,
    clock: Callable[[], datetime],
) -> FastAPI:
    """The whole page; nothing is read from the database before the first request."""
    # No interactive documentation: its pages would fetch scripts from another host.
    app = FastAPI(title="odzew", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.site = Site(settings, engine, taxonomy, files, clock=clock)
    app.state.strangers = auth.Strangers()
    for module in (auth, account, review_queue, tickets, reviews, health, metrics):
        app.include_router(module.router)
    app.mount("/static", _KeptFiles(directory=STATIC))
    app.add_middleware(Guard, settings=settings, error_page=error_page)
    app.add_exception_handler(SignInRequired, _to_sign_in)
    app.add_exception_handler(HTTPException, _refused)
    for error in DATABASE_DOWN:
        app.add_exception_handler(error, _database_down)
    return app


def error_page(request: Request, status: int, error_id: str) -> HTMLResponse:
    """A page that says what happened, by an id that is also in the log, and nothing else."""
    site: Site = request.app.state.site
    language = choose_language(
        request.cookies.get(site.cookie("odzew-language")),
        accept_language=request.headers.get("accept-language", ""),
    )
    html = site.write("error.html", language, status=status, error_id=error_id)
    return HTMLResponse(html, status_code=status)


async def _to_sign_in(request: Request, _: Exception) -> Response:
    return RedirectResponse(sign_in_path(request), status_code=303)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    error_id = secrets.token_hex(4)
    log.info("request refused", extra={"error_id": error_id, "status": error.status_code})
    response = error_page(request, error.status_code, error_id)
    response.headers.update(error.headers or {})
    return response


async def _database_down(request: Request, error: Exception) -> Response:
    error_id = secrets.token_hex(4)
    log.error("database cannot be reached", extra={"error_id": error_id}, exc_info=error)
    return error_page(request, 503, error_id)
