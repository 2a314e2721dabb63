"""The layers that answer a task: pooled (one label per image), dense and light (one label per pixel)."""

from spectralgpt.nn.heads.dense import DenseConfig, DenseHead
from spectralgpt.nn.heads.light import LightConfig, LightHead
from spectralgpt.nn.heads.merge import MapHeadConfig, Merge, Merged
from spectralgpt.nn.heads.pooled import PooledConfig, PooledHead

__all__ = [
    "DenseConfig",
    "DenseHead",
    "LightConfig",
    "LightHead",
    "MapHeadConfig",
    "Merge",
    "Merged",
    "PooledConfig",
    "PooledHead",
]
