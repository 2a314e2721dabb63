"""A small model of random weights, a made scene, and the command line in this process."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from made_rasters import NAMES, land, write

from made_finetuning import OFTEN
from made_labelled import SENSOR, class_folders
from spectralgpt.bands import BandSet, sensor
from spectralgpt.cli import main
from spectralgpt.nn import BandStatistics, ModelConfig, Normalization, Size
from spectralgpt.verbs.finetune import finetune
from spectralgpt.weights import SpectralGPT


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """A weights folder; 12 bands in four groups, fixed statistics."""
    torch.manual_seed(0)
    bands = sensor("s2-l1c").bands
    normalization = Normalization("standard", tuple(BandStatistics(band, 2.0, 1.0) for band in bands))
    config = ModelConfig(Size(48, 2, 4, 32, 1, 4), BandSet.native(sensor("spectralgpt-12").bands))
    folder = tmp_path_factory.mktemp("weights") / "small"
    SpectralGPT(config, normalization, {"data": "none"}).save_pretrained(folder)
    return folder


@pytest.fixture
def scene(tmp_path) -> Path:
    """A Level-1C scene of 200 x 136 pixels with nodata 0 and a cloud-shaped hole in all bands."""
    values = land(200, 136)
    r, c = np.mgrid[:200, :136]
    values[:, (r - 60) ** 2 + (c - 40) ** 2 < 25**2] = 0
    return write(tmp_path / "scene_2020-05-01.tif", values, names=NAMES, nodata=0.0)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Folders of images of three classes, six of each."""
    return class_folders(tmp_path_factory.mktemp("land") / "land", {"water": 6, "forest": 6, "town": 6})


@pytest.fixture(scope="module")
def whole_fit(images, weights, tmp_path_factory):
    """The folder and the result of a fine-tuning on them, by OFTEN, that nothing stopped."""
    out = tmp_path_factory.mktemp("whole") / "out"
    return out, finetune(images, out=out, weights=weights, bands=SENSOR, set=OFTEN)


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out.splitlines()[-1])


@pytest.fixture
def spectralgpt(monkeypatch, capsys) -> Callable[..., Ended]:
    """Run a command as the shell would."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["spectralgpt", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        caught = capsys.readouterr()
        return Ended(int(ended.value.code or 0), caught.out, caught.err)

    return run
