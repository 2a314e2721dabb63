"""The golden numbers in tests/golden, and the rule that makes their inputs (its text is in cases.json)."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor

from spectralgpt.nn import Cube, ModelConfig, Scaling

FOLDER = Path(__file__).with_name("golden")


def load_json(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def load_tensors(name: str) -> dict[str, np.ndarray]:
    return load_file(FOLDER / name)


def rule(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """u in [0, 1), float64, by CRC-32 of the key and a splitmix64-style mix of the flat index."""
    with np.errstate(over="ignore"):
        z = np.uint64(zlib.crc32(key.encode())) * np.uint64(2**32) + np.arange(int(np.prod(shape)), dtype=np.uint64)
        z = z * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(40)).astype(np.float64) * 2.0**-24).reshape(shape)


def rule_weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    last, u = name.rsplit(".", 1)[-1], 2 * rule(name, shape) - 1
    if "pos_embed" in last or last.endswith("_token"):
        offset, scale = 0.0, 0.5
    elif len(shape) == 1 and last == "weight":
        offset, scale = 1.0, 0.25
    elif len(shape) == 1:
        offset, scale = 0.0, 0.1
    else:
        offset, scale = 0.0, float(np.sqrt(3 / np.prod(shape[1:])))
    return (offset + scale * u).astype(np.float32)


def unit_cube(image: Tensor, config: ModelConfig) -> Cube:
    """A cube of one date whose values are the image's, without date and GSD: what the released model gets."""
    batch, bands = image.shape[:2]
    flat = torch.zeros(batch, 1, bands, dtype=image.dtype)
    return Cube(
        values=image[:, None],
        valid=None,
        bands=config.bands,
        days=torch.full((batch, 1), -1, dtype=torch.int32),
        gsd=torch.full((batch,), torch.nan),
        scaling=Scaling("min_max", flat, flat + 1),
    )


def largest(found: Tensor, wanted: Any) -> float:
    """The largest difference."""
    return float(np.abs(found.detach().double().numpy() - np.asarray(wanted).reshape(found.shape)).max())


def assert_as_summarized(found: Tensor, wanted: dict[str, Any], name: str, tolerance: float) -> None:
    """A tensor of a full-size case, by its mean, deviation and values at 64 places."""
    values = found.detach().double().numpy().reshape(-1)
    assert values.size == wanted["numel"], name
    places = np.floor(rule(wanted["index_key"], (64,)) * values.size).astype(int)
    np.testing.assert_allclose(values[places], wanted["values"], atol=tolerance, rtol=0, err_msg=name)
    assert values.mean() == pytest.approx(wanted["mean"], abs=tolerance)
    assert values.std() == pytest.approx(wanted["std"], abs=tolerance)


def assert_gradient_as_summarized(found: Tensor, norm: float, dot: float, name: str) -> None:
    """A gradient in float64, by its norm and its product with numbers by the rule."""
    values = found.numpy().reshape(-1)
    assert np.linalg.norm(values) == pytest.approx(norm, rel=1e-8, abs=1e-9), name
    u = rule(f"dot:{name}", values.shape)
    assert float(values @ (2 * u - 1)) == pytest.approx(dot, rel=1e-7, abs=1e-8), name
