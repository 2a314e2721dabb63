"""Known data sets, one file each, with `read(folder)`: its images, and `labels(folder, variant)`: its labelled samples;
both None when the folder has another layout.

A module in this folder is used without being listed anywhere; it has one of the functions or both. It looks at names
first, at few of them when the layout is another one; `read` opens no image.
"""

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from spectralgpt.data.file_labels import FileLabels
from spectralgpt.data.image_source import ImageSource

__all__ = ["read_dataset", "read_labels"]


def read_dataset(folder: str) -> list[ImageSource] | None:
    """The images of a folder that a data set's module recognizes; None when none does."""
    for read in _functions("read"):
        images: list[ImageSource] | None = read(folder)
        if images is not None:
            return images
    return None


def read_labels(folder: str, variant: str | None = None) -> FileLabels | None:
    """The labelled samples of a folder that a data set's module recognizes; None when none does.

    variant: of its labels, like 43 for the classes of BigEarthNet; None for its usual ones. DataError for a folder that
    was not extracted whole, naming what is missing and where the data set comes from; OptionError for a variant that
    the data set does not have.
    """
    whole = os.path.abspath(folder)
    for labels in _functions("labels"):
        found: FileLabels | None = labels(whole, variant)
        if found is not None:
            return found
    return None


def _functions(name: str) -> Iterator[Callable[..., Any]]:
    for module in iter_modules(__path__):
        function = getattr(import_module(f"{__name__}.{module.name}"), name, None)
        if function is not None:
            yield function
