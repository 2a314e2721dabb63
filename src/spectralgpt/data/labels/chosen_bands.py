"""The bands that a user chose, of images for which a data set or a table names the bands."""

from collections.abc import Callable
from dataclasses import replace

from spectralgpt.bands import Band, canonical, is_list, is_sensor, sensor
from spectralgpt.errors import BandError, OptionError, argument
from spectralgpt.raster import Pixels, Raster, Readable


def open_chosen(open_with: Callable[[str], Readable], own: str, given: str) -> Readable:
    """An image with the given bands, which take precedence over its own.

    open_with: opens it, with its bands as for open_raster. own: the bands that the data set names. given: a sensor, or
    wavelengths, replaces them; a list selects among them, or names all bands of a file without names, in its order.
    OptionError for a list with bands that the image does not have.
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
    """The image with the bands of a list, in its order. OptionError for bands that it does not have."""
    wanted = _wanted(image, given)
    missing = [word for word, band in wanted.items() if band not in image.bands]
    if missing or not wanted:
        raise OptionError(
            f"{argument('bands', given)}: found no {' and no '.join(missing)} of this sensor among the image's bands",
            f"some of: {image.bands[0].sensor}:{','.join(band.name for band in image.bands)}",
        )
    indices = [image.bands.index(band) for band in wanted.values() if band is not None]
    if isinstance(image, Raster):
        return replace(
            image,
            layers=tuple(tuple(layers[index] for index in indices) for layers in image.layers),
            scale=tuple(image.scale[index] for index in indices),
            offset=tuple(image.offset[index] for index in indices),
        )
    pixels = image if isinstance(image, Pixels) else image.read()
    return replace(
        pixels,
        values=pixels.values[:, indices],
        valid=None if pixels.valid is None else pixels.valid[:, indices],
        scale=pixels.scale[indices],
        offset=pixels.offset[indices],
        bands=tuple(pixels.bands[index] for index in indices),
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
