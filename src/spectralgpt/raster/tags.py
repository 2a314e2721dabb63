"""Tags that our own results carry and that readers look for."""

SENSOR_TAG = "SPECTRALGPT_SENSOR"
"""The sensor of the bands in a file."""

DATE_TAG = "ACQUISITION_DATE"
"""The ISO date on which an image was taken."""
