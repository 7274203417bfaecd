"""The two failures the worker tells apart.

OdzewError
├── TemporaryError    may succeed later: the row goes back with a delay
└── PermanentError    will not succeed as it is: the row is set aside for a person

A package adds its own subclasses next to the code that raises them. A ValueError or
TypeError means a mistake in our code; the worker logs it in full and sets the row aside.
"""


class OdzewError(Exception):
    """Base of every error this application raises on purpose."""


class TemporaryError(OdzewError):
    """The same work may succeed later: a busy server, a lost connection."""


class PermanentError(OdzewError):
    """The work will not succeed as it is: a refused recipient, an undecodable message."""
