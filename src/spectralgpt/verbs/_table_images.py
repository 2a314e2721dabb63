"""The images that are to become rows of a table, with their paths as the user gave them."""

import os
from collections.abc import ItemsView, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spectralgpt.plain import as_text
from spectralgpt.progress import Progress
from spectralgpt.verbs._options import ReadingOptions

if TYPE_CHECKING:
    from spectralgpt.data.image_source import ImageSource
    from spectralgpt.raster import Raster


@dataclass(frozen=True, slots=True)
class TableImage:
    """An image of one date, or a stack of dates. path: of the image; of a stack `TABLE#PLACE`. paths: one per date. All
    are relative where the source was given so."""

    path: str
    paths: tuple[str, ...]
    dates: tuple[str, ...] = ()
    bands: str | None = None
    clouds: str | None = None

    def open(self, options: ReadingOptions) -> "Raster":
        """The image, opened as the options say where its table does not."""
        from spectralgpt.products import open_raster

        dates = self.dates or ("",) * len(self.paths)
        return open_raster(
            [f"{path}@{date}" if date else path for path, date in zip(self.paths, dates, strict=True)],
            bands=self.bands or as_text(options["bands"]),
            clouds=self.clouds or as_text(options["clouds"]),
            gsd=options["gsd"],
            nodata=as_text(options["nodata"]),
        )


def images_of(given: Sequence[str], progress: Progress) -> list[TableImage]:
    """The images of files (with or without a date, `PATH@2020-05-01`), products, folders and tables, in this order.

    RasterError for a source that does not exist or contains no image.
    """
    from spectralgpt.data.sources import find_images
    from spectralgpt.days import iso_date
    from spectralgpt.products.image import path_and_date

    split = [path_and_date(each) for each in given]
    found = find_images([path for path, _ in split], progress=progress)
    as_given = _AsGiven([path for path, _ in split])
    days = {os.path.abspath(path): iso_date(day) for path, day in split if day is not None}
    return [
        TableImage(
            path=as_given(_location(image, found.roots.items())),
            paths=tuple(map(as_given, image.paths)),
            dates=image.dates or ((days[image.paths[0]],) if image.paths[0] in days else ()),
            bands=image.bands,
            clouds=image.clouds,
        )
        for image in found.images
    ]


def _location(image: "ImageSource", roots: ItemsView[str, str]) -> str:
    """Absolute; of a stack, the path behind its name in shards."""
    if len(image.paths) == 1:
        return image.paths[0]
    for name, root in roots:
        below = image.sources[0].removeprefix(f"{name}/")
        if os.path.join(root, *below.split("/")) == image.paths[0] and image.name.startswith(f"{name}/"):
            return os.path.join(root, *image.name.removeprefix(f"{name}/").split("/"))
    return image.name


class _AsGiven:
    """Turns an absolute path into one that begins like the source that it was found in."""

    def __init__(self, given: Sequence[str]) -> None:
        self._files = {os.path.abspath(path): os.path.normpath(path) for path in given}
        # rows of a table lie below its folder
        folders = (path if os.path.isdir(path) else os.path.dirname(path) or os.curdir for path in given)
        self._folders = {os.path.abspath(folder): os.path.normpath(folder) for folder in folders}

    def __call__(self, path: str) -> str:
        if path in self._files:
            return self._files[path]
        above = os.path.dirname(path)
        while above not in self._folders:
            if above == os.path.dirname(above):
                return path
            above = os.path.dirname(above)
        return os.path.normpath(os.path.join(self._folders[above], os.path.relpath(path, above)))
