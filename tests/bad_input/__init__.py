"""The bad-input catalogue, E-01 to E-80: mails that nobody would send on purpose, or only so.

Each item is a generator, never a stored file; what is random is seeded. ``every_mail`` makes them
all, ``flood.STORIES`` those whose number is the point, ``catalogue`` says where the items that are
no mail are tested.
"""

from dataclasses import replace
from functools import cache

from tests.bad_input import addresses, attachments, charsets, content, headers, html, structure
from tests.bad_input.mail import GENERATORS, BadMail, mails_of

__all__ = ["GENERATORS", "BadMail", "every_mail", "mails_of"]

_THEMES = (structure, headers, addresses, charsets, attachments, content, html)


@cache
def every_mail() -> tuple[BadMail, ...]:
    """Every mail of the catalogue, each once; made on the first call."""
    assert _THEMES
    first = {generator: id_ for id_, known in reversed(GENERATORS.items()) for generator in known}
    return tuple(
        replace(mail, id=id_)
        for generator, id_ in sorted(first.items(), key=lambda entry: entry[1])
        for mail in generator()
    )
