"""Tags that our own results carry and that readers look for."""

SENSOR_TAG = "SPECTRALGPT_SENSOR"
"""The sensor of the bands in a file."""

VERSION_TAG = "SPECTRALGPT_VERSION"
"""Which version of the package wrote a file; also in results of versions that had no marks."""

WEIGHTS_TAG, RULES_TAG, PARAMETERS_TAG = "SPECTRALGPT_WEIGHTS", "SPECTRALGPT_RULES", "SPECTRALGPT_PARAMETERS"
"""The fingerprint of the weights, the number of the rules, and the parameters of the verb, as JSON."""

INPUT_TAG, DATES_TAG = "SPECTRALGPT_INPUT", "SPECTRALGPT_DATES"
"""The verdict on the image, one statement per line; the dates of an image of several (ISO or UNKNOWN_DATE), with
commas."""

UNKNOWN_DATE = "unknown"

OPEN_LEVEL_TAG = "SPECTRALGPT_OPEN_LEVEL"
"""The sensor of another level that the bands of the image could be of; no tag where the level is known."""

VALID_SHARE = "valid share, percent"
"""The name of the only band of a raster of valid shares."""

CLASSES_TAG = "SPECTRALGPT_CLASSES"
"""The classes of a map, as JSON: a list of {name, colour}, by value."""

LAYER_TAG = "SPECTRALGPT_LAYER"
"""Which raster of several that a verb wrote together a file is; none for the first."""

THRESHOLD_TAG = "SPECTRALGPT_THRESHOLD"
"""From which distance on a place of a map has changed, and how that was chosen."""

DATE_TAG = "ACQUISITION_DATE"
"""The ISO date on which an image was taken."""

CLIPPED_TAG = "SPECTRALGPT_CLIPPED"
"""Share of the values of an int8 map that lie beyond its largest code."""
