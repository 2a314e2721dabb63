"""The sensors, pixel sizes and numbers of dates that weights were trained on, in their provenance."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from spectralgpt.errors import first_few
from spectralgpt.nn import Normalization

TRAINED = "trained"
"""Key of the provenance."""

GSD_MARGIN = 1.5
"""How many times as small or as large pixels may be as those in training before a user is warned."""

BANDS_NAMED = 6
"""Bands that a line names; of the rest it gives the number."""


class ImageKind(NamedTuple):
    """What of an image is compared with the training: its sensor, whose name says the level; its GSD (nan unknown); the
    names of the bands that the model takes, empty where they are not compared."""

    sensor: str
    gsd: float
    bands: tuple[str, ...] = ()


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
    def of_images(cls, images: Iterable[ImageKind]) -> "TrainedDomain | None":
        """That of images; the bands of a sensor are those that all of its images have. None without any."""
        found = list(images)
        # the digits of a map projection say nothing
        sizes = [float(f"{each.gsd:.4g}") for each in found if 0 < each.gsd < math.inf]
        bands: dict[str, tuple[str, ...]] = {}
        for each in found:
            bands[each.sensor] = tuple(name for name in bands.get(each.sensor, each.bands) if name in each.bands)
        return cls(tuple(sorted(bands.items())), (min(sizes), max(sizes)) if sizes else None) if bands else None

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

    def note(self, images: Sequence[ImageKind], of: str = "the weights were trained on") -> str:
        """What to say of images of which some lie outside; empty where none does. A GSD that is unknown (nan) lies
        nowhere. It follows the name of the image, or of the set of images. of: what this is the domain of."""
        strange = {each.sensor for each in images if each.sensor not in dict(self.sensors)}
        sizes = [each.gsd for each in images if self._is_far(each.gsd)]
        count = sum(each.sensor in strange or self._is_far(each.gsd) for each in images)
        if not count:
            return ""
        found = [*sorted(strange), *([_metres((min(sizes), max(sizes)))] if sizes else [])]
        known = "; ".join(part for part in (", ".join(name for name, _ in self.sensors), _metres(self.gsd)) if part)
        which = "is" if len(images) == 1 else f"{count} of {len(images)} images are"
        return f"{which} outside what {of} ({known}): {', '.join(found)}"

    def lacking(self, images: Sequence[ImageKind], of: str) -> str:
        """What to say of images without bands that this has of their sensor; empty where none lacks any. It follows
        the name of the image, or of the set of images."""
        known = dict(self.sensors)
        lacks = [
            [name for name in known.get(each.sensor, ()) if each.bands and name not in each.bands] for each in images
        ]
        count, names = sum(map(bool, lacks)), list(dict.fromkeys(chain.from_iterable(lacks)))
        if not count:
            return ""
        which = "lacks" if len(images) == 1 else f"{count} of {len(images)} images lack"
        return f"{which} bands of the images that {of}: {first_few(names, BANDS_NAMED)}"

    def _is_far(self, gsd: float) -> bool:
        if self.gsd is None or not math.isfinite(gsd):
            return False
        return not self.gsd[0] / GSD_MARGIN <= gsd <= self.gsd[1] * GSD_MARGIN


def outside_note(provenance: Mapping[str, Any], source: str, images: Iterable[ImageKind]) -> tuple[str, ...]:
    """A line on images outside what weights of this provenance were trained on; none for weights without the record.
    source: what the images are, for the line. Bands that they lack are not compared: pretraining hides some of every
    image."""
    domain = TrainedDomain.of(provenance)
    return _about(source, "" if domain is None else domain.note(list(images)))


def outside_probe_note(fitted_on: TrainedDomain | None, source: str, images: Iterable[ImageKind]) -> tuple[str, ...]:
    """The same lines on images outside what a probe was fitted to; none for a probe without the record."""
    if fitted_on is None:
        return ()
    kinds, of = list(images), "the probe was fitted to"
    return (*_about(source, fitted_on.note(kinds, of)), *_about(source, fitted_on.lacking(kinds, of)))


def _about(source: str, note: str) -> tuple[str, ...]:
    return ((f"{source}: {note}" if source else f"the image {note}"),) if note else ()


def _metres(gsd: tuple[float, float] | None) -> str:
    if gsd is None:
        return ""
    low, high = gsd
    # pixels of one projection differ a little from place to place
    return f"{high:.3g} m per pixel" if high < low * 1.01 else f"{low:.3g} to {high:.3g} m per pixel"
