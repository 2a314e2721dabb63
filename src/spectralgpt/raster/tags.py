"""Tags that our own results carry and that readers look for."""

SENSOR_TAG = "SPECTRALGPT_SENSOR"
"""The sensor of the bands in a file."""

CLASSES_TAG = "SPECTRALGPT_CLASSES"
"""The classes of a map, as JSON: a list of name and colour, by value."""

DATE_TAG = "ACQUISITION_DATE"
"""The ISO date on which an image was taken."""
