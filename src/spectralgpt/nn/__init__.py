"""The model: cubes, normalization, tokens, positions, masks, attention, encoder, decoder, losses, sizes."""

from spectralgpt.nn.attention import Block
from spectralgpt.nn.autoencoder import MaskedAutoencoder, Reconstruction, Scored
from spectralgpt.nn.backbone import Backbone, Per, TokenGrid, bare, initialize
from spectralgpt.nn.class_losses import (
    class_count,
    class_loss,
    class_weights,
    dice_count,
    dice_loss,
    label_count,
    label_loss,
    positive_weights,
)
from spectralgpt.nn.cube import Cube, PixelsLike, aligned_reflectance, make_cube
from spectralgpt.nn.dropping import Dropout, Key
from spectralgpt.nn.flops import encoder_flops, forward_flops
from spectralgpt.nn.given_cube import of_cubes
from spectralgpt.nn.heads import (
    DenseConfig,
    DenseHead,
    LightConfig,
    LightHead,
    MapHeadConfig,
    Merge,
    Merged,
    PooledConfig,
    PooledHead,
)
from spectralgpt.nn.hiding import Hide, hidden_tokens
from spectralgpt.nn.local_start import start_local
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
from spectralgpt.nn.mixing import Erasing, Mix, Mixing
from spectralgpt.nn.noise import other_key
from spectralgpt.nn.normalization import BandStatistics, Normalization, Scaling, ScalingKind
from spectralgpt.nn.positions import Positions, resize_table
from spectralgpt.nn.precision import Precision, computing_in, resolved_precision
from spectralgpt.nn.prediction import Prediction, cropped, evaluating
from spectralgpt.nn.read_out import ReadOut, ReadOutConfig, default_scale
from spectralgpt.nn.sizes import SIZES, SPECTRUM_NODES, ModelConfig, Size
from spectralgpt.nn.threads import compute_alone

__all__ = [
    "SIZES",
    "SPECTRUM_NODES",
    "Backbone",
    "BandStatistics",
    "Block",
    "Cube",
    "DenseConfig",
    "DenseHead",
    "Dropout",
    "Erasing",
    "Hide",
    "Key",
    "LightConfig",
    "LightHead",
    "LossTerm",
    "MapHeadConfig",
    "Mask",
    "MaskKind",
    "MaskedAutoencoder",
    "Merge",
    "Merged",
    "Mix",
    "Mixing",
    "ModelConfig",
    "Normalization",
    "Per",
    "PixelsLike",
    "PooledConfig",
    "PooledHead",
    "Positions",
    "Precision",
    "Prediction",
    "ReadOut",
    "ReadOutConfig",
    "Reconstruction",
    "Scaling",
    "ScalingKind",
    "Scored",
    "Size",
    "TokenGrid",
    "aligned_reflectance",
    "bare",
    "class_count",
    "class_loss",
    "class_weights",
    "compute_alone",
    "computing_in",
    "cropped",
    "default_scale",
    "dice_count",
    "dice_loss",
    "draw_mask",
    "draw_places",
    "encoder_flops",
    "evaluating",
    "forward_flops",
    "given_mask",
    "hidden_tokens",
    "initialize",
    "kept_count",
    "label_count",
    "label_loss",
    "make_cube",
    "normalized_target",
    "of_cubes",
    "other_key",
    "positive_weights",
    "random_mask",
    "resize_table",
    "resolved_precision",
    "scene_hidden",
    "spectral_loss",
    "start_local",
    "token_loss",
]
