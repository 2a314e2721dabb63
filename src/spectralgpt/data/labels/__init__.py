"""Labelled images: what a labelled data set is, and reading one from folders, tables, known data sets and samples."""

from spectralgpt.data.file_labels import FileLabels, FileSample
from spectralgpt.data.labels.class_list import ClassList
from spectralgpt.data.labels.file_set import FileSet
from spectralgpt.data.labels.finding import find_labels
from spectralgpt.data.labels.joined import JoinedSet, join
from spectralgpt.data.labels.label_report import LabelReport
from spectralgpt.data.labels.labelled import IGNORED, LabelledImage, LabelledSample, LabelledSet
from spectralgpt.data.labels.measured import MeasuredLabels
from spectralgpt.data.labels.opening import OpenedLabels, open_labels
from spectralgpt.data.labels.reading import LabelReading
from spectralgpt.data.labels.sample_set import SampleSet
from spectralgpt.data.labels.selection import Selection, in_classes_of

__all__ = [
    "IGNORED",
    "ClassList",
    "FileLabels",
    "FileSample",
    "FileSet",
    "JoinedSet",
    "LabelReading",
    "LabelReport",
    "LabelledImage",
    "LabelledSample",
    "LabelledSet",
    "MeasuredLabels",
    "OpenedLabels",
    "SampleSet",
    "Selection",
    "find_labels",
    "in_classes_of",
    "join",
    "open_labels",
]
