"""A baseline that needs bands that the images do not have is left out, and said."""

import numpy as np
import rasterio
from affine import Affine

from spectralgpt import probe
from spectralgpt.features import baselines


def pairs(folder, count: int) -> None:
    """Pairs with a bright change, in blue, green, red and near infrared."""
    random = np.random.default_rng(0)
    mask = np.zeros((24, 24), np.int64)
    mask[5:12, 8:20] = 1
    for number in range(count):
        place = {"crs": "EPSG:32633", "transform": Affine(10, 0, 5e5 + 5000 * number, 0, -10, 5e6)}
        size = {"driver": "GTiff", "height": 24, "width": 24, **place}
        for name in ("before", "after", "masks"):
            values = random.integers(500, 900, (4, 24, 24)) + 2000 * (np.arange(4) == 3)[:, None, None]
            values = values + 700 * mask * (name == "after")
            bands = mask[None].astype(np.uint8) if name == "masks" else values.astype(np.uint16)
            path = folder / name / f"p{number}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            with rasterio.open(path, "w", count=len(bands), dtype=bands.dtype, **size) as file:
                file.write(bands)


def test_without_short_wave_infrared_there_is_no_nbr_and_a_note(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(baselines, "names", lambda target: ["nbr", "differencing"])  # the others take long
    pairs(tmp_path / "data", 3)
    found = probe(
        tmp_path / "data", bands="s2-l2a:B2,B3,B4,B8", weights="untrained", baselines=True, method="ridge", folds=2
    )
    assert [each.features for each in found.methods][-1] == "length of the change vector"
    assert any("without the baseline difference of NBR: found the bands B2, B3" in each for each in found.warnings)
