"""Tags that our own results carry and that readers look for."""

SENSOR_TAG = "SPECTRALGPT_SENSOR"
"""The sensor of the bands in a file."""

VERSION_TAG = "SPECTRALGPT_VERSION"
"""Which version of the package wrote a file; also in results of versions that had no marks."""

WEIGHTS_TAG, RULES_TAG, PARAMETERS_TAG = "SPECTRALGPT_WEIGHTS", "SPECTRALGPT_RULES", "SPECTRALGPT_PARAMETERS"
"""The fingerprint of the weights, the number of the rules, and the parameters of the verb, as JSON."""

INPUT_TAG, DATES_TAG = "SPECTRALGPT_INPUT", "SPECTRALGPT_DATES"
"""The verdict on the image; the ISO dates of an image of several, with commas."""

CLASSES_TAG = "SPECTRALGPT_CLASSES"
"""The classes of a map, as JSON: a list of name and colour, by value."""

DATE_TAG = "ACQUISITION_DATE"
"""The ISO date on which an image was taken."""
