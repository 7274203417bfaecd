"""The languages of the page: gettext catalogues read at start, and whose language counts.

The texts in templates and code are English; ``translations/<language>.po`` translates them. A .po
file is compiled in memory, so changing one needs no build step.
"""

import gettext
import io
from collections.abc import Mapping
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES: Mapping[str, str] = {"pl": "Polski", "en": "English"}
DEFAULT = "pl"
FOLDER = Path(__file__).with_name("translations")


def load_catalogues() -> dict[str, gettext.NullTranslations]:
    """The catalogue of each language; English is what the msgids are."""
    catalogues: dict[str, gettext.NullTranslations] = {"en": gettext.NullTranslations()}
    for language in LANGUAGES:
        if language == "en":
            continue
        with (FOLDER / f"{language}.po").open("rb") as file:
            catalogue = read_po(file, locale=language, abort_invalid=True)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        catalogues[language] = gettext.GNUTranslations(compiled)
    return catalogues


def choose_language(*wishes: str | None, accept_language: str = "") -> str:
    """The first wish that is a language of the page, else the browser's best (RFC 9110 §12.5.4)."""
    for wish in wishes:
        if wish in LANGUAGES:
            return str(wish)
    weighed = []
    for position, item in enumerate(accept_language.split(",")[:20]):
        tag, _, parameters = item.partition(";")
        weight = _quality(parameters)
        language = tag.strip().lower().split("-")[0]
        if language in LANGUAGES and weight > 0:
            weighed.append((-weight, position, language))
    return min(weighed)[2] if weighed else DEFAULT


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
