"""A verb's result, or the error instead of one, as one line of JSON."""

import dataclasses
import datetime
import json
import math
import os
from collections.abc import Mapping
from typing import Any

from spectralgpt.errors import InputError


def as_json(result: Any) -> str:
    """The fields of a dataclass as one line of JSON: paths absolute, NaN and infinity null, dates ISO.

    TypeError for anything else: a result holds plain values, no arrays and no NumPy numbers.
    """
    return json.dumps(_plain(result), allow_nan=False)


def error_as_json(kind: str, message: str, error: InputError | None = None) -> str:
    """`error` (the message) and `kind` as one line of JSON; of an InputError also its parts.

    kind: the class of an InputError, `usage` for words that the command line does not take, `interrupted`, or
    `internal` for our own fault.
    """
    parts: dict[str, Any] = {"error": message, "kind": kind}
    if error is not None:
        advice = [{"argument": name, "value": _plain_or_text(value)} for name, value in error.advice]
        parts |= {"found": error.found, "expected": error.expected, "do": error.do, "advice": advice}
    return json.dumps(parts, allow_nan=False)


def _plain_or_text(value: object) -> Any:
    try:
        return _plain(value)
    except TypeError:
        return str(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.path.abspath(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    raise TypeError(f"a verb's result holds a {type(value).__name__}; give it as plain Python values")
