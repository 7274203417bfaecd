"""What a row of any table is made by."""

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlmodel import SQLModel


class Row(SQLModel):
    """A row that is made at once instead of value by value.

    SQLModel tells SQLAlchemy, and then pydantic, of each value of a new row, and neither does
    anything with it: tables are not validated, and of a row that is to be inserted SQLAlchemy reads
    what is there. That was a fifth of the work of taking in a mail. Whatever is set later goes the
    usual way, and so do related rows.
    """

    def __init__(self, **values: Any) -> None:
        constants, made = _defaults(type(self))
        given = self.__dict__  # holds SQLAlchemy's state already
        given.update(constants)
        for name, make in made.items():
            if name not in values:
                given[name] = make()
        related = type(self).__sqlmodel_relationships__
        fields = type(self).model_fields
        given.update({name: value for name, value in values.items() if name in fields})
        object.__setattr__(self, "__pydantic_fields_set__", values.keys() & fields.keys())
        object.__setattr__(self, "__pydantic_extra__", None)
        object.__setattr__(self, "__pydantic_private__", None)
        for name in values.keys() & related.keys():
            setattr(self, name, values[name])


@cache
def _defaults(table: type[Row]) -> tuple[dict[str, Any], dict[str, Callable[[], Any]]]:
    """Default values of a table's columns: those that are always the same, and how others are made.

    A list or a dictionary is made anew for each row, as pydantic does it.
    """
    constants: dict[str, Any] = {}
    made: dict[str, Callable[[], Any]] = {}
    for name, field in table.model_fields.items():
        if field.is_required():
            continue
        if field.default_factory is None and isinstance(field.default, _UNCHANGING):
            constants[name] = field.default
        else:
            made[name] = _maker(field)
    return constants, made


def _maker(field: Any) -> Callable[[], Any]:
    return lambda: field.get_default(call_default_factory=True)


_UNCHANGING = (str, bytes, bool, int, float, type(None))
