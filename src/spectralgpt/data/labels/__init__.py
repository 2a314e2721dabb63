"""Labelled images: what a labelled data set is, and reading one from folders, tables, known data sets and samples."""

from spectralgpt.data.file_labels import FileLabels, FileSample
from spectralgpt.data.labels.labelled import IGNORED, LabelledImage, LabelledSample, LabelledSet

__all__ = ["IGNORED", "FileLabels", "FileSample", "LabelledImage", "LabelledSample", "LabelledSet"]
