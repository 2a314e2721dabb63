"""FileLabels and FileSample, which are in `data/file_labels.py`, as known data sets make them, too."""

from spectralgpt.data.file_labels import FileLabels, FileSample

__all__ = ["FileLabels", "FileSample"]
