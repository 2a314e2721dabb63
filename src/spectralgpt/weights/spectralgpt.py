"""SpectralGPT: the pretrained model, from disk and back."""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from spectralgpt.nn import Cube, Hide, MaskedAutoencoder, ModelConfig, Normalization, Reconstruction, Scaling
from spectralgpt.weights.pretrained import Pretrained


class SpectralGPT(Pretrained, MaskedAutoencoder):
    """The masked autoencoder, which rebuilds what is hidden and gives features and embeddings."""

    kind = "pretraining"

    def __init__(self, config: ModelConfig, normalization: Normalization, provenance: dict[str, Any] | None = None):
        super().__init__(config)
        self.normalization = normalization
        self.provenance = provenance or {}

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
