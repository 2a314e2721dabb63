"""How labelled images are read: the user's options."""

from dataclasses import dataclass

from spectralgpt.data.labels.class_list import ClassList


@dataclass(frozen=True, slots=True)
class LabelReading:
    """The user's options; each default is what the files say.

    masks: the folder of masks (or one mask), where the source is the folder of images or contains it. after: likewise
    the folder of the second images of pairs. classes: a TOML file, names in order like `water,forest`, or a list.
    ignore: codes of mask pixels that are not labelled. label: the column of a table that holds the labels.
    variant: of a known data set's labels. bands, gsd,
    nodata, clouds: as for open_raster. trust_input: go on where an image is not what it claims to be.
    """

    masks: str | None = None
    after: str | None = None
    classes: str | ClassList | None = None
    ignore: tuple[int, ...] = ()
    label: str | None = None
    variant: str | None = None
    bands: str | None = None
    gsd: float | int | None = None
    nodata: str | float | int | None = None
    clouds: str | None = None
    trust_input: bool = False
