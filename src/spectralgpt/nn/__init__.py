"""The model: cubes, normalization, tokens, positions, masks, attention, encoder, decoder, losses, sizes."""

from spectralgpt.nn.autoencoder import MaskedAutoencoder, Reconstruction, Scored
from spectralgpt.nn.backbone import Backbone, Per, TokenGrid
from spectralgpt.nn.cube import Cube, PixelsLike, aligned_reflectance, make_cube
from spectralgpt.nn.heads import DenseConfig, DenseHead, PooledConfig, PooledHead
from spectralgpt.nn.hiding import Hide, hidden_tokens
from spectralgpt.nn.losses import LossTerm, normalized_target, spectral_loss, token_loss
from spectralgpt.nn.masks import (
    Mask,
    MaskKind,
    draw_mask,
    draw_places,
    given_mask,
    kept_count,
    random_mask,
    scene_hidden,
)
from spectralgpt.nn.normalization import BandStatistics, Normalization, Scaling, ScalingKind
from spectralgpt.nn.positions import Positions, resize_table
from spectralgpt.nn.precision import Precision, computing_in, resolved_precision
from spectralgpt.nn.sizes import SIZES, SPECTRUM_NODES, ModelConfig, Size
from spectralgpt.nn.tasks import ChangeConfig, ChangeDetection, Classification, Combine, Prediction, Segmentation

__all__ = [
    "SIZES",
    "SPECTRUM_NODES",
    "Backbone",
    "BandStatistics",
    "ChangeConfig",
    "ChangeDetection",
    "Classification",
    "Combine",
    "Cube",
    "DenseConfig",
    "DenseHead",
    "Hide",
    "LossTerm",
    "Mask",
    "MaskKind",
    "MaskedAutoencoder",
    "ModelConfig",
    "Normalization",
    "Per",
    "PixelsLike",
    "PooledConfig",
    "PooledHead",
    "Positions",
    "Precision",
    "Prediction",
    "Reconstruction",
    "Scaling",
    "ScalingKind",
    "Scored",
    "Segmentation",
    "Size",
    "TokenGrid",
    "aligned_reflectance",
    "computing_in",
    "draw_mask",
    "draw_places",
    "given_mask",
    "hidden_tokens",
    "kept_count",
    "make_cube",
    "normalized_target",
    "random_mask",
    "resize_table",
    "resolved_precision",
    "scene_hidden",
    "spectral_loss",
    "token_loss",
]
