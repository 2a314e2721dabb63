"""The bands that a user chose, of images for which a data set or a table names the bands."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from spectralgpt.bands import Band, Evidence, canonical, identify, is_list, is_sensor, sensor
from spectralgpt.errors import BandError, OptionError, argument
from spectralgpt.raster import Pixels, Raster, Readable


def open_chosen(open_with: Callable[[str], Readable], own: str, given: str) -> Readable:
    """An image with the given bands, which take precedence over its own.

    open_with: opens it, with its bands as for open_raster. own: the bands that the data set names. given: a sensor, or
    wavelengths, replaces them; a list selects among them, or names all bands of a file without names, in its order;
    `NEW=OLD` renames a band of the file or, where the file has no names, of the data set. OptionError for a list with
    bands that the image does not have.
    """
    if not is_list(given):
        return open_with(given)
    called = own.partition(":")[0]
    qualified = given if ":" in given or not is_sensor(called) else f"{called}:{given}"
    try:
        return open_with(qualified)
    except BandError:  # a file without names, of which the data set names more bands
        return with_bands(open_with(own), given)


def with_bands(image: Readable, given: str) -> Readable:
    """The image with the bands of a list, in its order; with `NEW=OLD,...`, under new names as in open_raster.
    OptionError or BandError for bands that it does not have."""
    if is_list(given) and "=" in given:
        return _renamed(image, given)
    wanted = _wanted(image, given)
    missing = [word for word, band in wanted.items() if band not in image.bands]
    if missing or not wanted:
        named = argument("bands", given)
        # a single word that names nothing may be meant as a sensor
        unknown = list(wanted.values()) == [None] and ":" not in given
        raise OptionError(
            f"{named} is neither a sensor nor one of the image's bands"
            if unknown
            else f"{named}: found no {' and no '.join(missing)} of this sensor among the image's bands",
            f"some of: {image.bands[0].sensor}:{','.join(band.name for band in image.bands)}"
            + (", or a sensor (`spectralgpt sensors` lists them)" if unknown else ""),
        )
    bands = [band for band in wanted.values() if band is not None]
    return _taken(image, [image.bands.index(band) for band in bands], bands)


def _renamed(image: Readable, given: str) -> Readable:
    """The image with bands under other names of its own sensor. OptionError where the list names another sensor."""
    own = image.bands[0].sensor
    names = tuple(band.name for band in image.bands)
    has_sensor = ":" in given.split("=")[0]
    if has_sensor and given.partition(":")[0] != own:
        raise OptionError(
            f"{argument('bands', given)}: the images have bands of {own}", f"names of it: {own}:{','.join(names)}"
        )
    choice = given if has_sensor or not is_sensor(own) else f"{own}:{given}"
    found = identify(Evidence(names, "the image"), choice)
    return _taken(image, found.indices, found.bands)


def _taken(image: Readable, indices: Sequence[int], bands: Sequence[Band]) -> Readable:
    """The image with the bands at these indices, as these bands."""
    if isinstance(image, Raster):
        return replace(
            image,
            layers=tuple(
                tuple(replace(of_date[index], band=band) for index, band in zip(indices, bands, strict=True))
                for of_date in image.layers
            ),
            scale=tuple(image.scale[index] for index in indices),
            offset=tuple(image.offset[index] for index in indices),
        )
    pixels, chosen = image if isinstance(image, Pixels) else image.read(), list(indices)
    return replace(
        pixels,
        values=pixels.values[:, chosen],
        valid=None if pixels.valid is None else pixels.valid[:, chosen],
        scale=pixels.scale[chosen],
        offset=pixels.offset[chosen],
        bands=tuple(bands),
    )


def _wanted(image: Readable, given: str) -> dict[str, Band | None]:
    """Word of a list -> its band, None where it is none. A sensor before the list says which one's."""
    if not is_list(given):
        raise OptionError(
            f"{argument('bands', given)}: the data set reads its images itself, with the bands of its files",
            f"a list of some of: {','.join(band.name for band in image.bands)}",
        )
    name, colon, rest = given.partition(":")
    words = [word.strip() for word in (rest if colon else given).split(",") if word.strip()]
    called = name if colon else image.bands[0].sensor
    if is_sensor(called):
        one = sensor(called)
        return {word: one.band(word) if one.knows(word) else None for word in words}
    of_name = {} if colon else {canonical(band.name): band for band in image.bands}
    return {word: of_name.get(canonical(word)) for word in words}
