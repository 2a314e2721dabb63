"""Labelled images in files, for tests: each image differs from the others, each mask in every row and column."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from made_rasters import NAMES, PLACE, land, write

SIDE = 16


def image(path: Path, seed: int = 0, rows: int = SIDE, columns: int = SIDE, **how) -> Path:
    """A Level-1C image with named bands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, land(rows, columns, seed), names=NAMES, **how)


def mask(
    path: Path, codes: Sequence[int] = (0, 1), rows: int = SIDE, columns: int = SIDE, dtype="uint8", **how
) -> Path:
    """A mask in which every code occurs, in diagonal stripes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.array(codes)[np.add.outer(np.arange(rows), np.arange(columns)) // 2 % len(codes)]
    return write(path, values[None].astype(dtype), **how)


def class_folders(folder: Path, classes: Mapping[str, int]) -> Path:
    """The given number of images in each class folder."""
    for number, (name, count) in enumerate(classes.items()):
        for index in range(count):
            image(folder / name / f"{name}_{index}.tif", 100 * number + index)
    return folder


def masked(folder: Path, count: int = 3, codes: Sequence[int] = (0, 1), **how) -> Path:
    """images/image_N.tif and masks/mask_N.tif."""
    for index in range(count):
        image(folder / "images" / f"image_{index}.tif", index)
        mask(folder / "masks" / f"mask_{index}.tif", codes, **how)
    return folder


def pairs(folder: Path, count: int = 2, codes: Sequence[int] = (0, 1), **how) -> Path:
    """before, after and masks. how: of the second images."""
    for index in range(count):
        image(folder / "before" / f"{index}.tif", index)
        image(folder / "after" / f"{index}.tif", index + 50, **how)
        mask(folder / "masks" / f"{index}.tif", codes)
    return folder


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def moved(columns: float, rows: float = 0.0) -> Affine:
    """The place of made images, so many pixels to the east and south."""
    return (
        PLACE * Affine.translation(columns, rows)
        if not hasattr(PLACE, "__matmul__")
        else PLACE @ Affine.translation(columns, rows)
    )


def with_palette(path: Path, colours: Mapping[int, tuple[int, int, int]]) -> None:
    """Give a mask's file a palette."""
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {code: (*colour, 255) for code, colour in colours.items()})


def beside(path: Path, band: str) -> None:
    """Write the .aux.xml of a mask, with this content of its band."""
    path.with_name(f"{path.name}.aux.xml").write_text(
        f'<PAMDataset><PAMRasterBand band="1">{band}</PAMRasterBand></PAMDataset>'
    )
