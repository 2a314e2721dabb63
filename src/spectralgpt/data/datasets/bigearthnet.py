"""BigEarthNet's Sentinel-2 patches: one folder of single-band files per patch, Level-2A, 120 pixels, without labels.

v1: BigEarthNet-v1.0/S2A_MSIL2A_20170613T101031_87_48/..._B02.tif

v2: BigEarthNet-S2/S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP/S2A_..._T33UUP_26_57/..._B02.tif

Source: Sumbul et al., "BigEarthNet" (IGARSS 2019); Clasen et al., "reBEN" (2024); bigearth.net.
"""

import os
import re

from spectralgpt.data.folders import folders_in, is_folder
from spectralgpt.data.image_source import ImageSource

PATCH = re.compile(r"S2[AB]_MSIL2A_\d{8}T\d{5,6}(_N\d{4}_R\d{3}_T\w{5})?_\d{1,3}_\d{1,3}")
PRODUCT_NAME = re.compile(r"S2[AB]_MSIL2A_\d{8}T\d{6}_N\d{4}_R\d{3}_T\w{5}")

LISTED_PATCHES = 20
"""Subfolders that are looked at before a folder counts as another layout."""


def read(folder: str) -> list[ImageSource] | None:
    """The patches directly in a folder, or in the products directly in it."""
    if not _is_laid_out(folder):
        return None
    patches = []
    for name in folders_in(folder):
        path = os.path.join(folder, name)
        if PATCH.fullmatch(name):
            patches.append(path)
        elif PRODUCT_NAME.fullmatch(name):
            patches += [os.path.join(path, patch) for patch in folders_in(path) if PATCH.fullmatch(patch)]
    return [ImageSource(patch, (patch,), bands="s2-l2a") for patch in patches]


def _is_laid_out(folder: str) -> bool:
    with os.scandir(folder) as entries:
        named = [
            entry.name
            for entry, _ in zip((each for each in entries if is_folder(each)), range(LISTED_PATCHES), strict=False)
        ]
    for name in named:
        path = os.path.join(folder, name)
        if PATCH.fullmatch(name):
            return _is_patch(path)
        if PRODUCT_NAME.fullmatch(name):
            return any(
                PATCH.fullmatch(patch) and _is_patch(os.path.join(path, patch)) for patch in folders_in(path)[:1]
            )
    return False


def _is_patch(path: str) -> bool:
    return os.path.isfile(os.path.join(path, f"{os.path.basename(path)}_B02.tif"))
