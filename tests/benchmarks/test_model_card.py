"""The card of the packaged weights: its numbers are those of run and data, and no result is of other weights."""

import csv
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests" / "weights")]

from model_card import card, stages_of  # noqa: E402
from trained_data import Count, counts, used_images  # noqa: E402

from made_weights import small_weights  # noqa: E402
from spectralgpt.nn import ReadOut, ReadOutConfig  # noqa: E402
from spectralgpt.version import RULES  # noqa: E402

RECIPE = {"name": "packaged", "seed": 3, "held_back": 0.02}


def stage(name: str, batch: int = 16, **task: float) -> dict:
    return {"name": name, "task": {"mask_ratio": 0.75} | task, "data": {"batch": batch}}


def record(name: str, step: float, seconds: float) -> dict:
    return {"stage": name, "step": step, "seconds": seconds}


def test_steps_images_and_seconds_of_stages():
    config = {"recipe": {"stages": [stage("one", 16), stage("two", 8), stage("never", 8)]}}
    log = [
        record("one", 10, 100.0), {"stage": "one", "step": 15, "saved": "step-15"}, record("one", 20, 220.0),
        # interrupted, and counted from 0 again
        record("one", 30, 50.0), record("one", 40, 130.0),
        record("two", 50, 30.0), record("two", 60, 60.0),
    ]  # fmt: skip
    one, two = stages_of(config, log)
    assert (one.name, one.steps, one.images, one.seconds) == ("one", 40, 640, 350.0)
    assert (two.name, two.steps, two.images, two.seconds) == ("two", 20, 160, 60.0)


def test_seconds_that_go_on_in_the_next_stage_count_once():
    config = {"recipe": {"stages": [stage("one"), stage("two")]}}
    one, two = stages_of(config, [record("one", 10, 100.0), record("two", 10, 130.0)])
    assert (one.seconds, two.seconds) == (100.0, 30.0)
    assert (one.steps, two.steps) == (10, 10)


def raster(path: Path, side: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.arange(side * side, dtype="uint16").reshape(1, side, side)
    with rasterio.open(path, "w", driver="GTiff", width=side, height=side, count=1, dtype="uint16") as file:
        file.write(values)


def table(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def made(tmp_path) -> Path:
    """A folder with data, the work of a run, and weights."""
    data, work = (tmp_path / "data").resolve(), tmp_path / "work"
    for n in range(3):
        raster(data / f"eurosat_more/River/River_{n}.tif", 8 + n)
    raster(data / "oscd/paris/imgs_1/paris_B02.tif", 12)
    raster(data / "oscd/paris/imgs_1/paris_B03.tif", 12)
    (data / "oscd/paris/imgs_1/dates.txt").write_text("no pixels")
    raster(data / "s2_pairs/282D_485L_3_3/282D_485L_3_3_S2L1C.tif", 20)
    raster(data / "bark_beetle_s2/images_2019/geojson_1.tif", 9)
    (work / "train").mkdir(parents=True)
    offset = (work / "train/282D.vrt").resolve()
    copy(data / "s2_pairs/282D_485L_3_3/282D_485L_3_3_S2L1C.tif", offset, driver="VRT")
    rivers = [{"path": str(data / f"eurosat_more/River/River_{n}.tif"), "place": "delta"} for n in range(2)]
    table(work / "train/eurosat.csv", rivers)
    table(work / "train/oscd.csv", [{"path": str(data / "oscd/paris/imgs_1"), "place": "paris"}])
    table(work / "train/pairs_l1c_offset.csv", [{"path": str(offset), "place": "282D"}])
    table(work / "train/bark_beetle.csv", [
        {"path": str(data / "bark_beetle_s2/images_2019/geojson_1.tif"), "place": "bark_beetle_1"}
    ])  # fmt: skip
    table(work / "parts.csv", [
        {"set": "eurosat_more", "group": "a", "part": "train", "path": "eurosat_more/River/River_0.tif"},
        {"set": "eurosat_more", "group": "b", "part": "report", "path": "eurosat_more/River/River_2.tif"},
    ])  # fmt: skip
    recipe = RECIPE | {"stages": [stage("64 px", descriptor_weight=10.0)]}
    alone = {"name": "decoder", "seed": 4, "stages": [stage("decoder")], "model": {"gaussians": 64}}
    for name, each, seconds in (("run", recipe, 9000.0), ("decoder", alone, 600.0)):
        run = work / name
        run.mkdir()
        config = {"recipe": each, "samples": [5], "versions": {"spectralgpt": "0.1.0", "torch": "2.9"}}
        (run / "config.json").write_text(json.dumps(config))
        (run / "log.jsonl").write_text(json.dumps(record(each["stages"][0]["name"], 1000, seconds)) + "\n")
    model = small_weights()
    model.read_out = ReadOut(ReadOutConfig((1, 2), (0, 2), 24), 32)
    model.provenance = {
        "recipe": "decoder", "seed": 4, "stages": ["decoder"], "steps": 1000, "data": "train_shards (5 samples, ab12)",
        "from": {"recipe": "packaged", "steps": 1000},
        "trained": {
            "sensors": {"s2-l1c": ["B2", "B3"], "mine": [f"{n} nm" for n in range(400, 440)]},
            "gsd": [6.4, 30.0], "dates": 3,
        },
    }  # fmt: skip
    model.save_pretrained(work / "tiny-1")
    return tmp_path


def written(made: Path, links: bool = False) -> str:
    results = made / "results"
    results.mkdir(exist_ok=True)
    return card(made / "work/tiny-1", made / "data", made / "work", results, links)


def fingerprint_of(made: Path) -> str:
    return re.search(r"`([0-9a-f]{64})`", written(made))[1]


def result_with(fingerprint: str) -> str:
    """Results of the probes of these weights."""
    columns = {
        name: {"value": value, "interval": [value - 0.1, value + 0.1], "difference": 0.1,
               "difference_interval": [0.01, 0.2]}
        for name, value in (("model", 0.8), ("untrained", 0.7), ("handmade", 0.75))
    }  # fmt: skip
    case = {
        "set": "eurosat_more", "target": "class", "read_out": "auto", "score": "accuracy", "columns": columns,
        "counts": {"images": 125, "places": 83}, "seen_in_pretraining": 0, "fingerprint": fingerprint,
    }  # fmt: skip
    return json.dumps({"cases": [case]})


def test_images_places_and_bytes_of_each_source(made):
    data = made / "data"
    rows = {source.title: parts for source, parts in counts(used_images(data, made / "work"))}
    eurosat, oscd, pairs = (rows[name] for name in rows if name.startswith(("EuroSAT", "Onera", "TerraMesh")))
    sizes = [(data / f"eurosat_more/River/River_{n}.tif").stat().st_size for n in range(3)]
    assert eurosat["train"] == Count(2, 1, sizes[0] + sizes[1])
    assert (eurosat["choose"], eurosat["report"]) == (Count(), Count(1, 1, sizes[2]))
    # of a folder, all files with pixels; of a VRT, the file that it is made of
    bands = [path.stat().st_size for path in (data / "oscd/paris/imgs_1").glob("*.tif")]
    assert oscd["train"] == Count(1, 1, sum(bands))
    whole = data / "s2_pairs/282D_485L_3_3/282D_485L_3_3_S2L1C.tif"
    assert pairs["train"] == Count(1, 1, whole.stat().st_size)


def test_the_card_says_what_weights_run_and_data_say(made):
    text = written(made)
    assert text.startswith("# tiny-1\n")
    for part in (
        "5 images of 4 places", f"| rules | {RULES}:",
        "measured: 24 values from blocks 1, 2; for an image, from blocks 0, 2",
        "| 64 px | 1,000 | 16,000 | 2.5 hours |", "| decoder | 1,000 | 16,000 | 10 minutes |",
        "Recipes `packaged` (seed 3), then `decoder` (seed 4); train_shards (5 samples, ab12)",
        "spectralgpt 0.1.0, torch 2.9", "Pixels: 6.4 to 30 m. Dates of one place: up to 3 dates.",
        "| s2-l1c | L1C | B2, B3 |", "and 24 more |", "asinh(reflectance / 0.02)",
        "distils hand-made features", "python benchmarks/packaged_weights.py DATA WORK",
    ):  # fmt: skip
        assert part in text, part
    headings = re.findall("^## (.*)$", text, re.MULTILINE)
    assert headings == [
        "Data", "Not trained on", "Bands, levels, pixel sizes", "Normalization", "Training", "Results", "Not good for",
        "To repeat it",
    ]  # fmt: skip
    assert text == written(made), "the same every time"


def test_sources_without_a_licence_are_named_and_only_those_trained_on(made):
    line = re.search("No licence of the data is stated for: (.*)\\.", written(made))[1]
    assert line == "Bark-beetle sites in Czechia"
    (made / "work/train/bark_beetle.csv").unlink()
    assert "No licence of the data" not in written(made)


def test_descriptors_are_named_only_where_they_were_a_target(made):
    path = made / "work/run/config.json"
    path.write_text(path.read_text().replace('"descriptor_weight": 10.0', '"descriptor_weight": 0.0'))
    assert "distils" not in written(made)


def test_only_results_of_these_weights_are_shown(made):
    results = made / "results"
    missing = written(made).count("not measured with these weights yet")
    assert missing == 3
    for name in ("four_tasks", "hidden_bands", "fewer"):
        (results / f"{name}.json").write_text(result_with("0" * 64))
    assert written(made).count("not measured with these weights yet") == missing
    assert "0.800" not in written(made)
    (results / "four_tasks.json").write_text(result_with(fingerprint_of(made)))
    (results / "fewer.json").write_text(json.dumps({"weights": {"fingerprint": fingerprint_of(made)}}))
    (results / "fewer_labels.png").touch()
    text = written(made)
    assert text.count("not measured with these weights yet") == 1
    assert (
        "| EuroSAT, 5 classes, other places; last block | accuracy (top-1) | 125, 83 | **0.800** (0.700 to 0.900)"
        in text
    )
    assert "| 0.700 (0.600 to 0.800) |" in text
    assert "Pretraining saw none of these images." in text
    assert "`docs/results/fewer.json`, `docs/results/fewer_labels.png`." in text
    assert "[fewer.json](results/fewer.json), [fewer_labels.png](results/fewer_labels.png)." in written(
        made, links=True
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [("recipe", "own"), ("seed", 5), ("stages", ["64 px", "96 px"]), ("from", {"recipe": "own", "steps": 1000})],
)
def test_a_run_of_other_weights_is_refused(key, value, made):
    path = made / "work/tiny-1/config.json"
    config = json.loads(path.read_text())
    config["provenance"][key] = value
    path.write_text(json.dumps(config))
    with pytest.raises(SystemExit, match="expected that of the weights"):
        written(made)
