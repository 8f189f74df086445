"""Values that fit into their columns. PostgreSQL refuses others, and with them the whole row."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
    models,
)
from django.db.backends.base.operations import BaseDatabaseOperations

OF_DATABASES = (DatabaseError, InterfaceError)
"""What a database raises. The second is raised on a connection that was closed, and is no DatabaseError."""
OF_VALUES = (DataError, IntegrityError, ProgrammingError, NotSupportedError)
AWAY = "The database can't be used now."
AWAY_HINT = "It may be restarting or read-only, or its disk may be full. Try again in a moment."
OF_VALUES_STATES = ("22", "23", "54")
"""Classes of SQLSTATE for values: data exception, constraint violation, limit exceeded."""


def fit(row: models.Model, names: Iterable[str]) -> None:
    """Shorten texts and limit numbers of a row that are too long or too large for their columns."""
    for name in names:
        setattr(row, name, fitting(row._meta.get_field(name), getattr(row, name)))


def fitting(field: Any, value: Any) -> Any:
    """Return the value, or the nearest one that the column of this field can hold."""
    if value is None:
        return None
    if isinstance(field, models.CharField) and field.max_length:
        return str(value)[: field.max_length]
    if isinstance(field, models.DecimalField):
        largest = (Decimal(10) ** field.max_digits - 1).scaleb(-field.decimal_places)
        return max(-largest, min(largest, value))
    limits = BaseDatabaseOperations.integer_field_ranges.get(field.get_internal_type())
    return max(limits[0], min(limits[1], value)) if limits else value


def is_outage(error: BaseException) -> bool:
    """Return whether the database failed, and not a value that was to be saved in it."""
    if not isinstance(error, OF_DATABASES) or isinstance(error, OF_VALUES):
        return False
    return not str(getattr(error.__cause__, "sqlstate", None) or "").startswith(OF_VALUES_STATES)
