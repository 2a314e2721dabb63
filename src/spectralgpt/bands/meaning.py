"""What names mean to a sensor, and whether its products write them so."""

import re
from collections.abc import Sequence

from spectralgpt.bands.align import fed
from spectralgpt.bands.catalogue import sensor
from spectralgpt.bands.sensor import Sensor

PADDED = re.compile(r"\s*B(?:AND)?[ _]?0\d", re.IGNORECASE)
"""A zero-padded name, like B02."""


def reads(each: Sensor, names: Sequence[str]) -> tuple[object, ...]:
    """How a sensor reads these names: scale, offset, and the band of the released model that each feeds."""
    model = sensor("spectralgpt-12").bands
    return each.scale, each.offset, fed(tuple(map(each.band, names)), model)


def may_write(each: Sensor, names: Sequence[str | None]) -> bool:
    """Whether products of a sensor have names that are written like this: only few pad them with a zero."""
    return each.zero_padded or not any(PADDED.match(name) for name in names if name)
