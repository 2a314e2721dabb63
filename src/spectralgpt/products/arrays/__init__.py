"""Arrays in: NumPy, torch, xarray, TorchGeo's samples."""

from spectralgpt.products.arrays.pixels import as_pixels

__all__ = ["as_pixels"]
