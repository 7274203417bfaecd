"""One form for each address and domain, so that those that are the same compare as the same."""

from contextlib import suppress

import idna


def plain_address(text: str) -> str:
    """An address or a domain in lower case, its domain as people read it (RFC 5890 §2.3.2.1).

    Letters that only look different, such as mathematical ones, become those that they stand for
    (Unicode Technical Standard 46). What is no domain stays as it is.
    """
    local, at, domain = text.strip().lower().rpartition("@")
    if not domain.isascii() or "xn--" in domain:
        with suppress(idna.IDNAError):
            domain = idna.decode(idna.encode(domain, uts46=True))
    return f"{local}{at}{domain}"


def wire_address(text: str) -> str:
    """The same as it goes over the wire, the domain in A-labels."""
    local, at, domain = text.strip().lower().rpartition("@")
    if not domain.isascii():
        with suppress(idna.IDNAError):
            domain = idna.encode(domain, uts46=True).decode("ascii")
    return f"{local}{at}{domain}"
