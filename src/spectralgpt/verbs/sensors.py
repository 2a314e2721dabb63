"""What the known sensors are."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spectralgpt.arguments import checked

if TYPE_CHECKING:
    from spectralgpt.bands import Sensor


@dataclass(frozen=True, slots=True)
class DescribedBand:
    """A band of a sensor. wavelength, fwhm: nm. gsd: metres. aliases: further names of it in files."""

    name: str
    wavelength: float
    fwhm: float
    gsd: float
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DescribedSensor:
    """A sensor with its bands in file order. Reflectance = stored x scale + offset; None where only the metadata of a
    product state them. source: of its figures."""

    name: str
    title: str
    level: str
    scale: float | None
    offset: float | None
    nodata: float | None
    source: str
    bands: tuple[DescribedBand, ...]

    @classmethod
    def of(cls, sensor: "Sensor") -> "DescribedSensor":
        aliases = [(band, alias) for alias, band in sensor.aliases]
        return cls(
            name=sensor.name,
            title=sensor.title,
            level=sensor.level,
            scale=_number(sensor.scale),
            offset=_number(sensor.offset),
            nodata=_number(sensor.nodata),
            source=sensor.source,
            bands=tuple(
                DescribedBand(
                    name=band.name,
                    wavelength=float(band.wavelength),
                    fwhm=float(band.fwhm),
                    gsd=float(band.gsd),
                    aliases=tuple(alias for name, alias in aliases if name == band.name),
                )
                for band in sensor.bands
            ),
        )

    def __str__(self) -> str:
        units = "scale and offset by the metadata of a product"
        if self.scale is not None and self.offset is not None:
            units = f"reflectance = stored x {self.scale:g} {'-' if self.offset < 0 else '+'} {abs(self.offset):g}"
        width = max(4, *(len(band.name) for band in self.bands))
        return "\n".join(
            [
                f"{self.name}: {self.title}" + (f"; level {self.level}" if self.level else ""),
                units + ("" if self.nodata is None else f"; nodata {self.nodata:g}"),
                f"{'band':<{width}}  {'nm':>8}  {'FWHM':>7}  {'GSD (m)':>7}  also called",
                *(
                    f"{band.name:<{width}}  {band.wavelength:8.1f}  {band.fwhm:7.1f}  {band.gsd:7g}  "
                    f"{', '.join(band.aliases)}".rstrip()
                    for band in self.bands
                ),
                *([f"source: {self.source}"] if self.source else []),
            ]
        )


@dataclass(frozen=True, slots=True)
class DescribedSensors:
    """The sensors that were asked for: all by name, or one."""

    sensors: tuple[DescribedSensor, ...]

    def __str__(self) -> str:
        if len(self.sensors) == 1:
            return str(self.sensors[0])
        rows = [(each.name, each.level or "-", str(len(each.bands)), each.title) for each in self.sensors]
        rows.insert(0, ("sensor", "level", "bands", "what"))
        name, level, _, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
        return "\n".join(f"{row[0]:<{name}}  {row[1]:<{level}}  {row[2]:>5}  {row[3]}" for row in rows)


@checked
def sensors(name: str | None = None) -> DescribedSensors:
    """List the known sensors, or show the bands of one.

    A sensor of your own is a TOML file, named after it. Its keys are bands, a list of {name, wavelength, fwhm, gsd,
    aliases}, or instead bands_of (the name of a known sensor) or wavelengths; and scale, offset, nodata, title, level
    and source, which may be left out. Wavelength and fwhm are in nm, gsd in metres; reflectance = stored x scale +
    offset.

    Args:
        name: A known sensor, or a TOML file; default: list all.

    Example:
        spectralgpt sensors s2-l2a
        spectralgpt sensors
    """
    from spectralgpt import bands

    if name is None:
        found = bands.sensors()
    elif name.strip().lower().endswith(".toml"):
        found = (bands.read_sensor(name),)
    else:
        found = (bands.sensor(name),)
    return DescribedSensors(tuple(map(DescribedSensor.of, found)))


def _number(value: float | int | None) -> float | None:
    return None if value is None else float(value)
