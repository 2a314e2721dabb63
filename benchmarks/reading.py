"""How fast images are read, against rasterio alone; how long opening takes; how much memory a pass over a scene takes.

Made scenes, tiled and deflated like real ones, in a temporary folder. Windows of 128 to 256 pixels lie anywhere, the
same for both sides, which run interleaved in one process: from tiles that must be unpacked, as GDAL's cache is small
compared with a real scene, and again from a cache that holds everything (not for the warper, which caches results).
Memory: one process per size, its peak minus the level before.

    python benchmarks/reading.py --repeats 7
"""

import contextlib
import ctypes
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from measuring import about, given, interleaved, options, write
from memory import status
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from spectralgpt.products import open_raster
from spectralgpt.raster import Raster, Window
from spectralgpt.scenes.plan import plan_scene

GSDS = {"B1": 60, "B2": 10, "B3": 10, "B4": 10, "B5": 20, "B6": 20, "B7": 20, "B8": 10, "B8A": 20, "B9": 60}
GSDS |= {"B11": 20, "B12": 20}
WEST, NORTH = 600000.0, 4900020.0
CACHES = {"unpacked": 32 * 2**20, "cached": 4 * 2**30}
"""Bytes of GDAL's cache: a few tiles of each band; everything."""
SCENE_CACHE = 96 * 2**20
"""Of a scene: two rows of tiles, but not the scene, as 256 MB hold of a scene of 10,980 px."""
SIZES = (1536, 3072, 6144)
COMPRESSIONS, BLOCKS = ("deflate", "zstd"), (128, 256, 512)


def place(gsd: int) -> Affine:
    return Affine(gsd, 0.0, WEST, 0.0, -gsd, NORTH)


def made(path: Path, names: list[str], side: int, gsd: int, compress: str = "deflate", block: int = 512) -> Path:
    """Land as uint16, in tiles."""
    random = np.random.default_rng(side + gsd + len(names))
    r, c = np.ogrid[:side, :side]
    relief = 1500 + 900 * np.sin(r / 23) * np.cos(c / 31)
    profile = {"driver": "GTiff", "height": side, "width": side, "dtype": "uint16", "crs": "EPSG:32633", "nodata": 0}
    profile |= {"tiled": True, "blockxsize": block, "blockysize": block, "compress": compress, "predictor": 2}
    profile |= {"count": len(names), "transform": place(gsd), "interleave": "band"}
    with rasterio.open(path, "w", **profile) as dataset:
        for index, name in enumerate(names, 1):
            noise = random.integers(0, 120, relief.shape)
            dataset.write((relief * (0.6 + 0.1 * index) + noise).astype(np.uint16), index)
            dataset.set_band_description(index, name)
    return path


def made_file(folder: Path, side: int) -> Path:
    """Twelve bands in one file."""
    return made(folder / "scene.tif", list(GSDS), side, 10)


def made_folder(folder: Path, side: int) -> Path:
    """Twelve files of three GSDs."""
    folder.mkdir(exist_ok=True)
    for name, gsd in GSDS.items():
        made(folder / f"scene_{name}.tif", [name], side * 10 // gsd, gsd)
    return folder


def drawn(side: int, count: int) -> list[Window]:
    random = np.random.default_rng(0)
    sizes = random.integers(128, 257, (count, 2))
    return [Window(*(int(random.integers(0, side - size + 1)) for size in pair), *map(int, pair)) for pair in sizes]


def of_rasterio(window: Window) -> RasterioWindow:
    return RasterioWindow(window.column, window.row, window.width, window.height)


def ours(raster: Raster, windows: list[Window]) -> Callable[[], None]:
    def run() -> None:
        for window in windows:
            raster.read(window)

    return run


@contextlib.contextmanager
def plain(path: Path, windows: list[Window]) -> Iterator[Callable[[], None]]:
    """Bare rasterio on one file."""
    with rasterio.open(path) as dataset:
        indexes = list(dataset.indexes)

        def run() -> None:
            for window in windows:
                dataset.read(indexes, window=of_rasterio(window))

        yield run


@contextlib.contextmanager
def warped(folder: Path, side: int, windows: list[Window]) -> Iterator[Callable[[], None]]:
    """GDAL's warper, bilinear, on the files that are not on the finest grid; the others unchanged."""
    with contextlib.ExitStack() as stack:
        sources = []
        for name, gsd in GSDS.items():
            dataset = stack.enter_context(rasterio.open(folder / f"scene_{name}.tif"))
            how = {"crs": dataset.crs, "transform": place(10), "height": side, "width": side}
            warp = WarpedVRT(dataset, resampling=Resampling.bilinear, **how)
            sources.append(dataset if gsd == 10 else stack.enter_context(warp))

        def run() -> None:
            for window in windows:
                read = np.empty((len(sources), *window.shape), np.uint16)
                for band, source in enumerate(sources):
                    source.read(1, window=of_rasterio(window), out=read[band])

        yield run


def compared(seconds: dict[str, list[float]], baseline: str, windows: int) -> dict[str, float]:
    """Windows per second, and the ratio to the baseline: of medians, and of neighbouring runs."""
    (name,) = seconds.keys() - {baseline}
    ratios = [theirs / own for theirs, own in zip(seconds[baseline], seconds[name], strict=True)]
    return {
        "windows_per_s": windows / statistics.median(seconds[name]),
        f"windows_per_s_of_{baseline}": windows / statistics.median(seconds[baseline]),
        "ratio": statistics.median(seconds[baseline]) / statistics.median(seconds[name]),
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
    }


def speeds(folder: Path, side: int, count: int, repeats: int) -> dict[str, dict[str, float]]:
    """One row per source and cache."""
    file, files, windows = made_file(folder, side), made_folder(folder / "files", side), drawn(side, count)
    rows = {}
    for cache, size in CACHES.items():
        with rasterio.Env(GDAL_CACHEMAX=size):
            with plain(file, windows) as theirs, open_raster(file, bands="s2-l2a") as raster:
                seconds = interleaved({"rasterio": theirs, "ours": ours(raster, windows)}, repeats, "cpu")
            rows[f"one file of 12 bands, {cache}"] = compared(seconds, "rasterio", count)
            if cache == "cached":
                continue
            with warped(files, side, windows) as theirs, open_raster(files, bands="s2-l2a") as raster:
                seconds = interleaved({"warped_vrt": theirs, "ours": ours(raster, windows)}, repeats, "cpu")
            rows[f"12 files of three GSDs, {cache}"] = compared(seconds, "warped_vrt", count)
    return rows


def speeds_of_scenes(folder: Path, side: int, repeats: int) -> dict[str, dict[str, float]]:
    """One row per compression and side of the tiles: all windows of a scene, in its order."""
    plan = plan_scene(side, side, patch=8, side=128, overlap=0.25, batch=8)
    windows = [Window(row, column, 128, 128) for row in plan.rows for column in plan.columns]
    windows = [each for each in windows if each.row + 128 <= side and each.column + 128 <= side]
    rows = {}
    for compress, block in product(COMPRESSIONS, BLOCKS):
        file = made(folder / f"{compress}_{block}.tif", list(GSDS), side, 10, compress, block)
        with (
            rasterio.Env(GDAL_CACHEMAX=SCENE_CACHE),
            plain(file, windows) as theirs,
            open_raster(file, bands="s2-l2a") as raster,
        ):
            seconds = interleaved({"rasterio": theirs, "ours": ours(raster, windows)}, repeats, "cpu")
        rows[f"in a scene's order, {compress}, tiles of {block}"] = compared(seconds, "rasterio", len(windows))
    return rows


def opening(folder: Path, repeats: int) -> dict[str, float]:
    """Seconds to open 12 files."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        open_raster(folder, bands="s2-l2a").close()
        seconds.append(time.perf_counter() - start)
    return {"median_s": statistics.median(seconds[1:]), "first_s": seconds[0]}


def memory_of_a_pass(source: str) -> int:
    """Bytes above the level before while all windows of 256 pixels are read in this process."""
    with rasterio.Env(GDAL_CACHEMAX=CACHES["unpacked"]), open_raster(source, bands="s2-l2a") as raster:
        rows, columns = raster.grid.shape
        raster.read(Window(0, 0, 256, 256))
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        before = status("VmRSS")
        for row in range(0, rows - 255, 256):
            for column in range(0, columns - 255, 256):
                raster.read(Window(row, column, 256, 256))
        return status("VmHWM") - before


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--side", type=int, default=3072, help="pixels of the finest bands")
    parser.add_argument("--count", type=int, default=40, help="windows per run")
    parser.add_argument("--memory-of", metavar="SOURCE", help="measure a pass in this process, and print its bytes")
    found = given(parser)
    if found.memory_of:
        print(memory_of_a_pass(found.memory_of))
        return
    sizes = SIZES
    if found.quick:
        found.side, found.count, sizes = 768, 4, (384, 768)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = speeds(folder, found.side, found.count, found.repeats)
        rows |= speeds_of_scenes(folder, found.side, found.repeats)
        opened = opening(folder / "files", found.repeats)
        memory = {}
        for side in sizes:
            for source in (made_file(folder, side), made_folder(folder / "files", side)):
                command = [sys.executable, __file__, "--memory-of", str(source)]
                said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
                memory[f"{'one file' if source.is_file() else '12 files'}, {side} px"] = int(said.splitlines()[-1])
                print(f"  {source.name}, {side} px: {memory[list(memory)[-1]] / 2**20:.1f} MiB", file=sys.stderr)
    result = {"what": f"reading 12 bands of {found.side} px, {found.count} windows of 128 to 256 px", **about(found)}
    result |= {"rows": rows, "opening_12_files": opened, "memory_of_a_pass_bytes": memory}
    result["versions"] |= {"rasterio": rasterio.__version__, "gdal": rasterio.__gdal_version__}
    bars = {"windows read a second": {name: row["ratio"] for name, row in rows.items()}}
    write("reading", result, bars, "rasterio = 1", found.out)


if __name__ == "__main__":
    main()
