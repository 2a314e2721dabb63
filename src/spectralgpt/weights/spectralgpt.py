"""SpectralGPT: the pretrained model with its units, bands and read-out, from disk and back."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from spectralgpt.errors import WeightsError
from spectralgpt.nn import (
    Cube,
    Hide,
    MaskedAutoencoder,
    ModelConfig,
    Normalization,
    PixelsLike,
    Reconstruction,
    Scaling,
    make_cube,
)
from spectralgpt.weights.released import (
    from_released,
    read_released,
    released_config,
    released_normalization,
    to_released,
    write_released,
)
from spectralgpt.weights.store import check_tensors, fingerprint, read_weights, write_weights


class SpectralGPT(MaskedAutoencoder):
    """The masked autoencoder and all that its weights mean.

    normalization: the units of its input. provenance: where it came from (data, steps, source); no part of the
    fingerprint.
    """

    def __init__(self, config: ModelConfig, normalization: Normalization, provenance: dict[str, Any] | None = None):
        super().__init__(config)
        self.normalization = normalization
        self.provenance = provenance or {}

    @property
    def device(self) -> torch.device:
        """Where the model is; cubes are made there."""
        return self.encoder.embedding.bias.device

    @property
    def read_out(self) -> dict[str, Any]:
        """Which features are the embedding of a place and of an image: the last block's, normed, averaged over present
        tokens."""
        how = {"blocks": [self.config.size.depth], "norm": "final", "pool": "mean"}
        return {"place": how, "image": how}

    def cube(
        self,
        pixels: PixelsLike,
        *,
        own: bool = False,
        reconstructing: bool = False,
        image_side: int | None = None,
        scaling: Scaling | None = None,
    ) -> Cube:
        """Pixels aligned with the model's bands and normalized, on the model's device.

        pixels: Pixels, or anything with its fields, batched or not. own: the file's bands in groups of their own.
        reconstructing: parts will be hidden, so extremes of the image do not count. image_side: the longer side of the
        image (pixels) when these are a window of it. scaling: another cube's, for windows of one image.
        Raises BandError when the model knows none of the bands.
        """
        cube = make_cube(
            pixels,
            self.config.bands,
            self.normalization,
            self.config.image,
            own=own,
            reconstructing=reconstructing,
            image_side=image_side,
            scaling=scaling,
        )
        return cube.to(self.device)

    @torch.no_grad()
    def reconstruct(
        self, cube: Cube, hide: str | float | Hide | Bool[Tensor, "batch date group row column"] = 0.75, seed: int = 0
    ) -> Reconstruction:
        """Images rebuilt from what is left visible (MaskedAutoencoder.reconstruct).

        A cube that was scaled by its own extremes is scaled by fixed statistics first: extremes know what is hidden.
        """
        if cube.scaling.kind == "min_max":
            bands = cube.bands.bands
            fixed = torch.from_numpy(self.normalization.fixed("two_sigma", bands, [[band] for band in bands])).float()
            centre, scale = (each.to(cube.values.device).expand(cube.shape[:3]) for each in fixed)
            scaling = Scaling("two_sigma", centre, scale, self.normalization.eight_bit)
            cube = replace(cube, values=scaling.normalize(cube.scaling.reflectance(cube.values)), scaling=scaling)
        return super().reconstruct(cube, hide, seed)

    def fingerprint(self) -> str:
        """What these weights are, in 64 hex digits; the same after saving and loading."""
        return fingerprint(self._config_json(), self.state_dict())

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str]) -> "SpectralGPT":
        """The model of a weights folder or of a released pretraining checkpoint (.pth), in evaluation mode.

        Raises WeightsError naming every tensor that does not fit, and for anything that is not weights.
        """
        path = Path(name)
        if path.suffix.lower() == ".pth":
            return cls.from_released(path)
        if not os.path.isdir(path):
            raise WeightsError(
                f"{name}: found no such folder or .pth file; expected a weights folder or a released "
                "checkpoint. No weights come with this version."
            )
        config, tensors = read_weights(path)
        try:
            model_config = ModelConfig.from_dict({**config["model"], "bands": config["bands"]})
            normalization = Normalization.from_dict(config["normalization"])
            with torch.device("meta"):
                model = cls(model_config, normalization, config["provenance"])
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError) as error:
            raise WeightsError(f"{path}: found a configuration that makes no model ({error!r}).") from None
        if config["read_out"] != model.read_out:
            raise WeightsError(f"{path}: found read-out {config['read_out']}; expected {model.read_out}.")
        return model._with_tensors(tensors, str(path))

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write the weights folder, whole or not at all. Raises TargetError when it cannot be written."""
        write_weights(Path(folder), {**self._config_json(), "provenance": self.provenance}, self.state_dict())

    @classmethod
    def from_released(
        cls, path: str | os.PathLike[str], *, heads: int | None = None, decoder_heads: int | None = None
    ) -> "SpectralGPT":
        """The model of a released pretraining checkpoint; heads only for widths that no released size has."""
        path = Path(path)
        state = read_released(path)
        config = released_config(state, str(path), heads, decoder_heads)
        tensors = from_released(state, config, str(path))
        with torch.device("meta"):
            model = cls(config, released_normalization(), {"converted_from": path.name})
        return model._with_tensors(tensors, str(path))

    def save_released(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint in the released format. Raises WeightsError when the format cannot hold the model."""
        released = to_released(self.state_dict(), self.config, self.normalization)  # first: it may refuse
        write_released(Path(path), released)

    def _config_json(self) -> dict[str, Any]:
        model = self.config.to_dict()
        bands = model.pop("bands")
        return {
            "model": model,
            "bands": bands,
            "normalization": self.normalization.to_dict(),
            "read_out": self.read_out,
        }

    def _with_tensors(self, tensors: dict[str, torch.Tensor], source: str) -> "SpectralGPT":
        expected = {name: tuple(tensor.shape) for name, tensor in self.state_dict().items()}
        check_tensors(expected, {name: tuple(tensor.shape) for name, tensor in tensors.items()}, source)
        # assign: built on the meta device, so that a large model is in memory once
        self.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
        return self.requires_grad_(True).eval()
