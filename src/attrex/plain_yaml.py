"""YAML whose words are taken as they are written: for files that hold words (a shop, a lexicon, a language)."""

from __future__ import annotations

from typing import Any

import yaml

# libyaml reads a shop's few hundred lines ten times faster than Python does; a build of PyYAML can lack it.
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def load_words(text: str) -> Any:
    """Mappings, lists and strings of a YAML text: a size 38, a cell NO or a value yes stay words.

    Raises :class:`yaml.YAMLError` for a text that is not YAML.
    """
    return yaml.load(text, Loader=_Loader)
