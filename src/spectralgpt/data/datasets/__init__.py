"""Known data sets, one file each, with `read(folder)`: its images, or None when the folder has another layout;
and, where it has labels, with `labels(folder)`: its FileLabels, or None likewise.

A module in this folder is used without being listed anywhere. It looks at names only, at few of them when the layout is
another one, and opens no image.
"""

from importlib import import_module
from pkgutil import iter_modules

from spectralgpt.data.file_labels import FileLabels
from spectralgpt.data.image_source import ImageSource

__all__ = ["read_dataset", "read_labels"]


def read_dataset(folder: str) -> list[ImageSource] | None:
    """The images of a folder that a data set's module recognizes; None when none does."""
    for module in iter_modules(__path__):
        images: list[ImageSource] | None = import_module(f"{__name__}.{module.name}").read(folder)
        if images is not None:
            return images
    return None


def read_labels(folder: str) -> FileLabels | None:
    """The labelled images of a folder that a data set's module recognizes; None when none does."""
    for module in iter_modules(__path__):
        labels = getattr(import_module(f"{__name__}.{module.name}"), "labels", None)
        found: FileLabels | None = None if labels is None else labels(folder)
        if found is not None:
            return found
    return None
