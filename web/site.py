"""What lives as long as the application: settings, database, catalogues, templates."""

import gettext
import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from config.settings import Settings
from config.taxonomy import Taxonomy
from storage.database import Engine
from storage.files import FileStore
from web.formats import Formats
from web.plain_text import download_name, one_line, plain
from web.translations import LANGUAGES, load_catalogues

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"


class Site:
    """What every request shares, and the way pages are written."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        taxonomy: Taxonomy,
        files: FileStore,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.taxonomy = taxonomy
        self.files = files
        self.clock = clock
        self.catalogues = load_catalogues()
        self._environments = {
            language: _environment(catalogue) for language, catalogue in self.catalogues.items()
        }

    @property
    def behind_tls(self) -> bool:
        """A TLS proxy is in front; otherwise the page is plain HTTP on this machine (F-05)."""
        return bool(self.settings.web.trusted_proxy)

    def cookie(self, name: str) -> str:
        return f"__Host-{name}" if self.behind_tls else name

    def formats(self, language: str) -> Formats:
        return Formats(
            language, self.settings.shop.timezone, self.catalogues[language], self.clock()
        )

    def write(self, template: str, language: str, **context: Any) -> str:
        formats = self.formats(language)
        defaults: dict[str, Any] = {
            "shop": self.settings.shop.name,
            "language": language,
            "languages": LANGUAGES,
            "formats": formats,
            "person": None,
            "csrf_token": "",
            "flash": "",
            "here": "/",
            "cause_name": lambda code: self.cause_name(code, language),
            "urgency_name": lambda code: self.urgency_name(code, language),
        }
        return self._environments[language].get_template(template).render(defaults | context)

    def cause_name(self, code: str, language: str) -> str:
        """The name of a cause; a code that left the taxonomy stays readable."""
        for cause in self.taxonomy.causes:
            if cause.code == code:
                return cause.name.in_language(language)
        return code

    def urgency_name(self, code: str, language: str) -> str:
        for urgency in self.taxonomy.urgencies:
            if urgency.code == code:
                return urgency.name.in_language(language)
        return code


def _environment(catalogue: gettext.NullTranslations) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,  # whatever the file is called (F-12)
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The extension adds this method at run time.
    environment.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
    environment.filters["plain"] = plain
    environment.filters["one_line"] = one_line
    environment.filters["file_name"] = download_name
    environment.globals["static"] = _static_url
    return environment


@cache
def _static_url(name: str) -> str:
    """The address of a static file; it changes with the content, so browsers may keep it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"
