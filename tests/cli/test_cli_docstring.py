from spectralgpt.cli.docstring import Docstring, parse

WHOLE = """Turn a scene into
    numbers.

    More about it: it is
    long.

    And a second paragraph.

    Args:
        source: What to read.
        bands_as: How bands are taken; `own`: groups of
            their own, see the README.
        overlap: A share.

    Returns:
        nothing: of interest

    Example:
        spectralgpt embed a.tif b.tif

        spectralgpt embed c.tif \\
            d.tif
    """


def test_all_parts():
    assert parse(WHOLE) == Docstring(
        summary="Turn a scene into numbers.",
        description="More about it: it is\nlong.\n\nAnd a second paragraph.",
        args={
            "source": "What to read.",
            "bands_as": "How bands are taken; `own`: groups of their own, see the README.",
            "overlap": "A share.",
        },
        example="spectralgpt embed a.tif b.tif\n\nspectralgpt embed c.tif \\\n    d.tif",
    )


def test_a_summary_alone():
    assert parse("One line.") == Docstring("One line.", "", {}, "")
    assert parse("") == Docstring("", "", {}, "")


def test_text_after_a_section_is_description_again():
    assert parse("A.\n\nArgs:\n    x: of it\n\nLast words.").description == "Last words."


def test_a_continuation_that_looks_like_an_entry_stays_in_its_entry():
    assert parse("A.\n\nArgs:\n    x: either\n        this: or that\n    y: it").args == {
        "x": "either this: or that",
        "y": "it",
    }
