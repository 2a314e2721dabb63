"""How fast the features of labelled images are made from files, against the bare encoder on cubes in memory.

1,000 EuroSAT images (64 pixels, 13 bands, GeoTIFF) in a temporary folder: copies of those in --data, or made ones. Both
sides run interleaved in one process, with the same batch and precision, and their vectors must be equal to the last
bit. Nothing is cached. Ours includes opening and reading each file, hashing its content, and making the cubes.

    python benchmarks/features.py --data ../shared/data/eurosat_ms --repeats 5
"""

import json
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from measuring import RATIO, about, given, interleaved, options

from spectralgpt.bands import BandSet, sensor
from spectralgpt.data.labels import LabelledSet, LabelReading, open_labels
from spectralgpt.features import Cache, EncoderImages, image_vectors
from spectralgpt.features.images import READERS
from spectralgpt.nn import SIZES, BandStatistics, ModelConfig, Normalization, computing_in
from spectralgpt.raster import Pixels
from spectralgpt.weights import SpectralGPT

SIDE = 64
CLASSES = ("even", "odd")


def filled(folder: Path, count: int, data: Path | None) -> Path:
    """A folder of two class folders with `count` images: copies of those of `data`, or made ones."""
    real = sorted(data.rglob("*.tif")) if data else []
    for index in range(count):
        name = CLASSES[index % 2]
        path = folder / name / f"{name}_{index}.tif"
        path.parent.mkdir(exist_ok=True, parents=True)
        if real:
            shutil.copyfile(real[index % len(real)], path)
        else:
            made(path, index)
    return folder


def made(path: Path, seed: int) -> None:
    """Noise around land, as uint16."""
    values = np.random.default_rng(seed).normal(1500, 300, (13, SIDE, SIDE)).clip(1).astype(np.uint16)
    place = rasterio.Affine(10, 0, 500_000 + 640 * seed, 0, -10, 5_000_000)
    profile = {"count": 13, "height": SIDE, "width": SIDE, "dtype": "uint16", "crs": "EPSG:32633", "transform": place}
    with rasterio.open(path, "w", driver="GTiff", **profile) as dataset:
        dataset.write(values)


class Nothing:
    """A maker that makes nothing: what is left is reading."""

    name = identity = "nothing"

    def of(self, images: list[Pixels]) -> np.ndarray:
        return np.zeros((len(images), 1), np.float32)


def model_of(size: str, device: str) -> SpectralGPT:
    bands = BandSet.native(sensor("spectralgpt-12").bands)
    statistics_of = tuple(BandStatistics(band, 2.0, 1.0) for band in sensor("s2-l1c").bands)
    return SpectralGPT(ModelConfig(SIZES[size], bands), Normalization("standard", statistics_of)).eval().to(device)


def measured(data: LabelledSet, model: SpectralGPT, found: Any) -> dict[str, Any]:
    """Seconds of both sides, and what reading alone costs."""
    cubes = [model.cube(data.read(index).image.read()) for index in range(len(data.samples))]
    cube = cubes[0].stacked(*cubes[1:])
    maker = EncoderImages(model, precision=found.precision, batch=found.batch)
    result: dict[str, np.ndarray] = {}

    def bare() -> None:
        with torch.inference_mode(), computing_in(found.precision, model.device):
            parts = [cube.part(slice(first, first + found.batch)) for first in range(0, found.images, found.batch)]
            result["bare"] = torch.cat([model.embed(part) for part in parts]).float().cpu().numpy()

    def ours() -> None:
        result["ours"] = image_vectors(data, maker, Cache(None)).values

    seconds = interleaved({"bare encoder": bare, "ours": ours}, found.repeats, found.device)
    if not np.array_equal(result["bare"], result["ours"]):
        sys.exit(f"vectors differ by {np.abs(result['bare'] - result['ours']).max():.1e}; expected the same bits")
    before, start = time.process_time(), time.perf_counter()
    image_vectors(data, Nothing(), Cache(None))
    reading = {"cpu_ms": (time.process_time() - before) * 1e3, "wall_ms": (time.perf_counter() - start) * 1e3}
    return {
        "seconds": seconds,
        "images_per_s": {name: found.images / statistics.median(each) for name, each in seconds.items()},
        "ratio": statistics.median(seconds["bare encoder"]) / statistics.median(seconds["ours"]),
        "reading_per_image": {name: value / found.images for name, value in reading.items()},
    }


def main() -> None:
    parser = options(__doc__ or "", repeats=5)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--precision", choices=("fp32", "bf16", "auto"), default="auto")
    parser.add_argument("--data", type=Path, help="folder of EuroSAT images; without it they are made")
    found = given(parser)
    if found.quick:
        found.images = 40
    with tempfile.TemporaryDirectory() as folder:
        data = open_labels(filled(Path(folder), found.images, found.data), LabelReading(bands="eurosat")).data
        result = measured(data, model_of(found.size, found.device), found)
    found.data = None if found.data is None else found.data.name
    facts = about(found)
    facts["versions"] |= {"rasterio": rasterio.__version__, "gdal": rasterio.__gdal_version__, "numpy": np.__version__}
    facts["system"] = platform.system()
    whole = {"about": facts, "readers": READERS, "least_ratio": RATIO, **result}
    text = json.dumps(whole, indent=2)
    print(text)
    if found.out is not None:
        found.out.mkdir(parents=True, exist_ok=True)
        (found.out / "features.json").write_text(text + "\n")
    if not found.quick and result["ratio"] < RATIO:
        sys.exit(f"ratio: found {result['ratio']:.3f}; expected at least {RATIO}")


if __name__ == "__main__":
    main()
