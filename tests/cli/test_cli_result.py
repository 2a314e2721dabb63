import datetime
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from spectralgpt.cli.result import as_json


@dataclass(frozen=True, slots=True)
class Inner:
    path: Path
    day: datetime.date


@dataclass(frozen=True, slots=True)
class Outer:
    inner: Inner
    errors: dict[str, float]
    several: tuple[object, ...]


def test_nested_fields(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outer = Outer(
        Inner(Path("a b.tif"), datetime.date(2020, 5, 1)), {"B2": 0.5, "B3": float("inf")}, (1, True, None, "ä")
    )
    line = as_json(outer)
    assert "\n" not in line
    assert json.loads(line) == {
        "inner": {"path": str(tmp_path / "a b.tif"), "day": "2020-05-01"},
        "errors": {"B2": 0.5, "B3": None},
        "several": [1, True, None, "ä"],
    }


@pytest.mark.parametrize("value", [np.float32(1), np.zeros(3), {1, 2}, object()])
def test_what_is_no_plain_value_is_refused(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        as_json(value)
