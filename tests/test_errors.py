from __future__ import annotations

import pytest

from attrex import errors
from attrex.errors import AttrexError, did_you_mean


@pytest.mark.parametrize("name", ["DataError", "SchemaError", "ConfigError", "CheckpointError"])
def test_one_root_catches_every_error(name: str):
    with pytest.raises(AttrexError, match="said so"):
        raise getattr(errors, name)("said so")


def test_the_nearest_word_is_suggested_and_only_a_near_one():
    assert did_you_mean("colour", ["size", "color"]) == "; did you mean 'color'?"
    assert did_you_mean("COLOUR", ["size", "Color"]) == "; did you mean 'Color'?"
    assert did_you_mean("colour", ["size", "fabric"]) == ""
    assert did_you_mean("colour", iter([])) == ""
