"""Which image belongs to which mask, by names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectralgpt.data.labels.partners import own_words, partners

WORDS = st.text("abc123", min_size=1, max_size=3)


def test_the_same_name_comes_first():
    found = partners(["1", "2", "3"], ["3", "1", "2"])
    assert found.found == ((0, 1), (1, 2), (2, 0))
    assert (found.alone, found.spare, found.unclear) == ((), (), ())


@pytest.mark.parametrize(
    ("names", "others"),
    [
        (["image_27", "image_3"], ["mask_3", "mask_27"]),
        (["image_27", "image_3"], ["3_mask", "27_mask"]),
        (["S2 27.v1", "S2 3.v1"], ["label-3", "label-27"]),
        (["train/image_27", "train/image_3"], ["train/mask_3", "train/mask_27"]),
        (["IMG_27_S2", "IMG_3_S2"], ["img_3", "img_27"]),
    ],
)
def test_words_that_all_names_share_do_not_count(names, others):
    assert partners(names, others).found == ((0, 1), (1, 0))


def test_names_of_another_folder_are_no_partners():
    found = partners(["train/1", "val/2"], ["val/1", "val/2"])
    assert (found.found, found.alone, found.spare) == (((1, 1),), (0,), (0,))


def test_a_single_image_finds_its_mask_among_several():
    assert partners(["image_27"], ["mask_3", "mask_27"]).found == ((0, 1),)
    assert partners(["image_27"], ["mask_3", "mask_28"]).alone == (0,)
    assert partners(["nanjing_2000-05-03"], ["nanjing_label"]).found == ((0, 0),)


def test_what_is_missing_left_over_and_unclear_is_said():
    found = partners(["image_1", "image_2", "image_3"], ["mask_1", "mask_4"])
    assert (found.found, found.alone, found.spare) == (((0, 0),), (1, 2), (1,))
    assert partners(["x_1", "x_2"], ["m_1", "m-1", "m_2"]).unclear == (0,)
    assert partners(["x_1", "x-1", "x_2"], ["m_1", "m_2"]).unclear == (0, 1)


def test_a_single_name_keeps_all_its_words():
    assert own_words(["image_27"]) == [("", "image", "27")]
    assert own_words(["image_27", "image_3"]) == [("", "27"), ("", "3")]


@given(st.lists(WORDS, min_size=2, max_size=8, unique_by=str.lower), st.randoms())
def test_order_does_not_matter(words, random):
    """Every name finds its own mask, however the two folders are listed."""
    shuffled = random.sample(words, len(words))
    names, others = [f"im_{word}" for word in words], [f"{word}_gt" for word in shuffled]
    found = partners(names, others).found
    assert [(words[index], shuffled[other]) for index, other in found] == [(word, word) for word in words]
