"""The sensors, pixel sizes and numbers of dates that weights were trained on, in their provenance."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spectralgpt.nn import Normalization

TRAINED = "trained"
"""Key of the provenance."""

GSD_MARGIN = 1.5
"""How many times as small or as large pixels may be as those in training before a user is warned."""


@dataclass(frozen=True, slots=True)
class TrainedDomain:
    """What weights were trained on.

    sensors: pairs of a sensor and the names of its bands, by name of the sensor; its name says the level (s2-l1c). gsd:
    the smallest and the largest, in metres per pixel; None unknown. dates: largest number of dates of a sample.
    """

    sensors: tuple[tuple[str, tuple[str, ...]], ...]
    gsd: tuple[float, float] | None = None
    dates: int = 1

    @classmethod
    def of(cls, provenance: Mapping[str, Any]) -> "TrainedDomain | None":
        """What a provenance declares, which others may have written; None where it declares nothing of this form."""
        found = provenance.get(TRAINED)
        try:
            sensors = tuple((str(name), tuple(map(str, bands))) for name, bands in found["sensors"].items())  # type: ignore[index]
            gsd = None if found["gsd"] is None else tuple(map(float, found["gsd"]))  # type: ignore[index]
            dates = int(found["dates"])  # type: ignore[index]
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        if not sensors or (gsd is not None and not (len(gsd) == 2 and 0 < gsd[0] <= gsd[1] < math.inf)):
            return None
        return cls(tuple(sorted(sensors)), None if gsd is None else (gsd[0], gsd[1]), dates)

    @classmethod
    def of_normalization(cls, normalization: Normalization) -> "TrainedDomain":
        """As far as it is known of weights without the record: the sensors and bands that their statistics are of."""
        bands: dict[str, list[str]] = {}
        for each in normalization.statistics:
            bands.setdefault(each.band.sensor, []).append(each.band.name)
        return cls(tuple(sorted((name, tuple(names)) for name, names in bands.items())))

    @classmethod
    def of_images(cls, images: Iterable[tuple[str, float]]) -> "TrainedDomain | None":
        """That of images, as pairs of sensor and GSD (nan unknown); their bands are not recorded. None without any."""
        found = list(images)
        # the digits of a map projection say nothing
        sizes = [float(f"{gsd:.4g}") for _, gsd in found if 0 < gsd < math.inf]
        sensors = tuple((name, ()) for name in sorted({sensor for sensor, _ in found}))
        return cls(sensors, (min(sizes), max(sizes)) if sizes else None) if sensors else None

    def __or__(self, other: "TrainedDomain") -> "TrainedDomain":
        """What either was trained on. Pixel sizes are unknown where one's are."""
        bands = dict(self.sensors)
        for name, names in other.sensors:
            bands[name] = tuple(dict.fromkeys((*bands.get(name, ()), *names)))
        gsd = None
        if self.gsd is not None and other.gsd is not None:
            gsd = (min(self.gsd[0], other.gsd[0]), max(self.gsd[1], other.gsd[1]))
        return TrainedDomain(tuple(sorted(bands.items())), gsd, max(self.dates, other.dates))

    def entries(self) -> dict[str, Any]:
        """The entry of the provenance; the same domain gives the same text."""
        gsd = None if self.gsd is None else list(self.gsd)
        return {
            TRAINED: {"sensors": {name: list(bands) for name, bands in self.sensors}, "gsd": gsd, "dates": self.dates}
        }

    def __str__(self) -> str:
        """For model cards."""
        sensors = "; ".join(f"{name} ({', '.join(bands)})" for name, bands in self.sensors)
        dates = "1 date" if self.dates == 1 else f"up to {self.dates} dates"
        return "; ".join(part for part in (sensors, _metres(self.gsd), dates) if part)

    def note(self, images: Sequence[tuple[str, float]], of: str = "the weights were trained on") -> str:
        """What to say of images, as pairs of sensor and GSD, of which some lie outside; empty where none does. A GSD
        that is unknown (nan) lies nowhere. It follows the name of the image, or of the set of images. of: what this is
        the domain of."""
        strange = {sensor for sensor, _ in images if sensor not in dict(self.sensors)}
        sizes = [gsd for _, gsd in images if self._is_far(gsd)]
        count = sum(sensor in strange or self._is_far(gsd) for sensor, gsd in images)
        if not count:
            return ""
        found = [*sorted(strange), *([_metres((min(sizes), max(sizes)))] if sizes else [])]
        known = "; ".join(part for part in (", ".join(name for name, _ in self.sensors), _metres(self.gsd)) if part)
        which = "is" if len(images) == 1 else f"{count} of {len(images)} images are"
        return f"{which} outside what {of} ({known}): {', '.join(found)}"

    def _is_far(self, gsd: float) -> bool:
        if self.gsd is None or not math.isfinite(gsd):
            return False
        return not self.gsd[0] / GSD_MARGIN <= gsd <= self.gsd[1] * GSD_MARGIN


def outside_note(provenance: Mapping[str, Any], source: str, images: Iterable[tuple[str, float]]) -> tuple[str, ...]:
    """A line on images outside what weights of this provenance were trained on; none for weights without the record.
    source: what the images are, for the line. images: as of `TrainedDomain.note`."""
    domain = TrainedDomain.of(provenance)
    return _about(source, "" if domain is None else domain.note(list(images)))


def outside_probe_note(
    fitted_on: TrainedDomain | None, source: str, images: Iterable[tuple[str, float]]
) -> tuple[str, ...]:
    """The same line on images outside what a probe was fitted to; none for a probe without the record."""
    return _about(source, "" if fitted_on is None else fitted_on.note(list(images), "the probe was fitted to"))


def _about(source: str, note: str) -> tuple[str, ...]:
    return ((f"{source}: {note}" if source else f"the image {note}"),) if note else ()


def _metres(gsd: tuple[float, float] | None) -> str:
    if gsd is None:
        return ""
    low, high = gsd
    # pixels of one projection differ a little from place to place
    return f"{high:.3g} m per pixel" if high < low * 1.01 else f"{low:.3g} to {high:.3g} m per pixel"
