"""A verb's result as one line of JSON."""

import dataclasses
import datetime
import json
import math
import os
from collections.abc import Mapping
from typing import Any


def as_json(result: Any) -> str:
    """The fields of a dataclass as one line of JSON: paths absolute, NaN and infinity null, dates ISO.

    TypeError for anything else: a result holds plain values, no arrays and no NumPy numbers.
    """
    return json.dumps(_plain(result), allow_nan=False)


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
