"""Further files that a user may hand over: weights, shards, tables, probes, and what an interrupted run left."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from made_rasters import NAMES, land, write

from made_handed_files import COLUMNS, ROWS, handed, points, scene, small_images

# -- weights -----------------------------------------------------------------------------------------------------------


def small_model(**options: Any) -> Any:
    import torch

    from spectralgpt.bands import BandSet
    from spectralgpt.bands import sensor as known
    from spectralgpt.nn import BandStatistics, ModelConfig, Normalization, Size
    from spectralgpt.weights import SpectralGPT

    torch.manual_seed(0)
    bands = known("spectralgpt-12").bands
    normalization = Normalization("standard", tuple(BandStatistics(each, 2.0, 1.0) for each in bands))
    config = ModelConfig(Size(16, 1, 2, 12, 1, 2), BandSet.native(bands), **options)
    return SpectralGPT(config, normalization, {"data": "none"})


def load_weights(folder: Path) -> None:
    from spectralgpt import inspect
    from spectralgpt.weights import SpectralGPT

    str(inspect(folder)).encode()
    SpectralGPT.from_pretrained(folder)


@handed(load_weights, "config.json", "model.safetensors")
def weights(folder: Path, name: str) -> Path:
    small_model().save_pretrained(folder)
    return folder / name


def load_released(folder: Path) -> None:
    from spectralgpt.weights import SpectralGPT

    SpectralGPT.from_released(folder / "released.pth", heads=2, decoder_heads=2)


@handed(load_released)
def released(folder: Path) -> Path:
    import torch

    from spectralgpt.weights.released import Released, released_normalization, to_released

    nodes = tuple(group.wavelength for group in small_model().config.bands.groups)
    model = small_model(place_nodes=(2, 2), image=16, spectrum_nodes=nodes)
    model.normalization = released_normalization()
    with torch.no_grad():
        for name, table in model.named_parameters():
            if name.endswith(("season", "elapsed", "scale")):
                table.zero_()
    torch.save({"model": to_released(model.state_dict(), Released(model.task, model.config))}, folder / "released.pth")
    return folder / "released.pth"


# -- shards ------------------------------------------------------------------------------------------------------------


def read_shards(folder: Path) -> None:
    """Where a shard has another size, the manifest says that one: else nothing more of it would be read."""
    from spectralgpt import inspect
    from spectralgpt.data.shards import open_shards

    manifest = folder / "shards" / "manifest.json"
    with suppress(ValueError, TypeError, KeyError, IndexError, RecursionError):
        content = json.loads(manifest.read_bytes())
        if content["shards"][0]["bytes"] > 10_000:
            content["shards"][0]["bytes"] = (folder / "shards" / "shard-00000.arrow").stat().st_size
            manifest.write_text(json.dumps(content))
    shards = open_shards(folder / "shards")
    for layout, count in enumerate(shards.counts):
        shards.places(layout), shards.days(layout), shards.positions(layout), shards.sources(layout, np.arange(count))
        shards.read(layout, np.arange(count))
    str(inspect(folder / "shards")).encode()


@handed(read_shards, "manifest.json", "shard-00000.arrow")
def shards(folder: Path, name: str) -> Path:
    from spectralgpt import shard

    small_images(folder, 2)
    shard([folder / "i0.tif", folder / "i1.tif"], out=folder / "shards", chip=32, workers=1)
    return folder / "shards" / name


def go_on_sharding(folder: Path) -> None:
    from spectralgpt import shard

    shard(folder / "table.csv", out=folder / "out", workers=1)


@handed(go_on_sharding)
def table_of_images(folder: Path) -> Path:
    rows = [(name, f"2020-05-0{n + 1}", f"p{n}", "", "") for n, name in enumerate(small_images(folder))]
    return points(("path", "date", "place", "bands", "clouds"), rows, folder / "table.csv")


def recover_shards(folder: Path) -> None:
    from spectralgpt import shard

    (folder / "shards" / "manifest.json").unlink(missing_ok=True)
    shard(folder / "i0.tif", out=folder / "shards", chip=32, workers=1)


# -- labels ------------------------------------------------------------------------------------------------------------


def read_labels(name: str, **how: Any) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        from spectralgpt.data.labels import LabelReading, open_labels

        given = {key: str(folder / value) for key, value in how.items()}
        opened = open_labels(folder / name, LabelReading(**given))
        str(opened.report)
        for index in range(len(opened.data)):
            opened.data.read(index)

    return read


LABELS = ("water", "forest", "water", "forest")


def labels_in(ending: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        rows = [(name, label, "train") for name, label in zip(small_images(folder), LABELS, strict=True)]
        return points(("image", "label", "split"), rows, folder / f"labels.{ending}")

    make.__name__ = f"labels_{ending}"
    return make


for each in ("csv", "parquet", "geojson"):
    handed(read_labels(f"labels.{each}"))(labels_in(each))


@handed(read_labels("images", masks="masks", classes="classes.toml"), "classes.toml", "masks/i0.tif")
def masks(folder: Path, name: str) -> Path:
    for part in ("images", "masks"):
        (folder / part).mkdir()
    small_images(folder / "images", 2)
    codes = np.arange(ROWS * COLUMNS).reshape(1, ROWS, COLUMNS) % 3
    for number in range(2):
        import rasterio

        path = folder / "masks" / f"i{number}.tif"
        write(path, codes.astype("uint8"), transform=rasterio.open(folder / "images" / f"i{number}.tif").transform)
        with rasterio.open(path, "r+") as dataset:
            dataset.write_colormap(1, {0: (0, 0, 0, 255), 1: (9, 99, 9, 255), 2: (1, 2, 200, 255)})
    (folder / "classes.toml").write_text(
        '[classes]\n0 = "bare"\n1 = {name = "forest", colour = "#1f7a1f"}\n2 = "sea"\n'
    )
    return folder / name


def read_set(folder: Path) -> None:
    from spectralgpt.data.datasets import read_dataset
    from spectralgpt.data.datasets import read_labels as labels_of

    read_dataset(str(folder / "set"))
    labels_of(str(folder / "set"))


@handed(read_set)
def fmow_list(folder: Path) -> Path:
    rows = [("airport", 3, n, f"2018-05-0{n + 1}T10:00:00Z") for n in range(3)]
    for split in ("train", "val", "test_gt"):
        place = folder / "set" / split / "airport" / "airport_3"
        place.mkdir(parents=True)
        for n in range(3):
            scene(place / f"airport_3_{n}.tif", 3)
        points(("category", "location_id", "image_id", "timestamp"), rows, folder / "set" / f"{split}.csv")
    return folder / "set" / "train.csv"


# -- probes, vectors, results ------------------------------------------------------------------------------------------


def load_probe(folder: Path) -> None:
    from spectralgpt.features import Probe
    from spectralgpt.products import open_raster

    description, numbers = folder / "probe.json", (folder / "probe.safetensors").read_bytes()
    with suppress(ValueError, TypeError, RecursionError):  # a checksum that fits, else nothing more would be read
        content = json.loads(description.read_bytes())
        description.write_text(json.dumps({**content, "checksum": hashlib.sha256(numbers).hexdigest()}))
    with open_raster(folder / "scene.tif") as raster:
        Probe.load(folder, weights=folder / "weights").predict(raster)


@handed(load_probe, "probe.json", "probe.safetensors")
def probe(folder: Path, name: str) -> Path:
    from spectralgpt.features.probe_files import PROBE_FORMAT, PROBE_VERSION, ProbeDescription, write_probe
    from spectralgpt.tasks import Class
    from spectralgpt.version import RULES

    model = small_model()
    model.save_pretrained(folder / "weights")
    description = ProbeDescription(
        format=PROBE_FORMAT, version=PROBE_VERSION, target="class",
        classes=(Class("water"), Class("forest", "#1b7837")),
        method="ridge", settings={"penalty": "1"}, thresholds=(), weights="weights", fingerprint=model.fingerprint(),
        read_out="auto", bands_as=None, precision="fp32", rules=RULES, checksum="", images=("0" * 16,),
    )  # fmt: skip
    fitted = {"mean": np.zeros(16), "factor": np.ones(16), "intercept": np.zeros(2), "several": np.array(False)}
    write_probe(folder, description, fitted | {"coefficients": np.arange(32.0).reshape(16, 2)})
    scene(folder / "scene.tif")
    return folder / name


def read_vectors(name: str) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        from spectralgpt import inspect
        from spectralgpt.raster.marks import tags_of

        str(inspect(folder / name)).encode()
        tags_of(folder / name)

    return read


def vectors_in(ending: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from spectralgpt import embed

        names = [folder / name for name in small_images(folder, 2)]
        small_model().save_pretrained(folder / "weights")
        embed(names, folder / f"vectors.{ending}", weights=folder / "weights")
        return folder / f"vectors.{ending}"

    make.__name__ = f"vectors_{ending}"
    return make


for each in ("csv", "parquet"):
    handed(read_vectors(f"vectors.{each}"))(vectors_in(each))


def embed_again(folder: Path) -> None:
    from spectralgpt import embed

    embed(folder / "scene.tif", folder / "out.tif", weights=folder / "weights", batch=1)


def replace_result(folder: Path) -> None:
    from spectralgpt import inspect

    str(inspect(folder / "out.tif")).encode()
    embed_again(folder)


@handed(replace_result)
def own_result(folder: Path) -> Path:
    interrupted(folder, "plan.json")
    embed_again(folder)
    return folder / "out.tif"


@handed(embed_again, "plan.json", "notes-000000.json", "rows-000000.npy")
def interrupted(folder: Path, name: str) -> Path:
    from spectralgpt.scenes.block_rows import BlockRows

    write(folder / "scene.tif", land(200, 40), names=NAMES)
    small_model().save_pretrained(folder / "weights")
    take = BlockRows.take

    def stopping(self: BlockRows, row: int, *given: Any) -> None:
        if row:
            raise KeyboardInterrupt
        take(self, row, *given)

    BlockRows.take = stopping  # type: ignore[method-assign]
    try:
        with suppress(KeyboardInterrupt):
            embed_again(folder)
    finally:
        BlockRows.take = take  # type: ignore[method-assign]
    return folder / "out.tif.partial" / name


# -- runs --------------------------------------------------------------------------------------------------------------


def read_run(folder: Path) -> None:
    from spectralgpt.training.logs import read_log
    from spectralgpt.training.run_folder import run_recipe

    run_recipe(folder)
    read_log(folder / "log.jsonl")


@handed(read_run, "config.json", "log.jsonl")
def run(folder: Path, name: str) -> Path:
    from spectralgpt.plain import to_plain
    from spectralgpt.recipes import find

    content = {"recipe": to_plain(find("pretraining", "smoke")())}
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "log.jsonl").write_text("".join(f'{{"step": {n}, "loss": {1 / (n + 1)}}}\n' for n in range(20)))
    return folder / name
