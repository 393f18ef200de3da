"""An exported value head: a graph for what prototypes find, and numpy for the choice among options.

values.onnx            features and regions -> what each pair's prototype finds
options.safetensors    the options' vectors and biases

Shape letters:
    B rows     U units     D width     C attributes     A distinct ones     N pairs     O options     k told ones
    R regions of all photos of a row
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attrex.errors import CheckpointError
from attrex.inference.engine import EngineChoices

VALUES_FILE, OPTIONS_FILE = "values.onnx", "options.safetensors"
MAX_OPTIONS = 8
"""Most options of an attribute that are told, as :data:`attrex.model.network.MAX_OPTIONS`."""


class ValueGraph:
    """The value head of an export.

    :param session: of `values.onnx`.
    :param counts: how many options each attribute has.

    Raises :class:`CheckpointError` where the options are not those of the schema.
    """

    def __init__(self, session: Any, directory: Path, counts: Sequence[int]) -> None:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = directory / OPTIONS_FILE
        try:
            loaded = load_file(path)
            self.vectors, self.bias = loaded["vectors"], loaded["bias"]
        except (OSError, SafetensorError, KeyError) as exc:
            raise CheckpointError(f"{path} is damaged: {exc}; export the model again") from exc
        if len(self.vectors) != sum(counts):
            raise CheckpointError(
                f"{path} has {len(self.vectors)} options, shop.yaml {sum(counts)}; add options in the model's "
                "shop.yaml, and export the model again"
            )
        self.session = session
        self.counts, self.first = np.array(counts), np.cumsum([0, *counts])

    def choose(self, inputs: Mapping[str, np.ndarray], asked: np.ndarray) -> EngineChoices:
        """The surest options of each asked pair.

        :param inputs: of the graph, but for its pairs; `region_mask` (B, R) only of models with photos.
        :param asked: (B, C) bool.
        """
        rows, attributes = (asked & (self.counts > 0)).nonzero()
        distinct, position = np.unique(attributes, return_inverse=True)
        options = np.full((len(rows), MAX_OPTIONS), -1)
        both, by_text, by_photo = probability = np.zeros((3, len(rows), MAX_OPTIONS), np.float32)
        names = self.session.outputs
        if not len(rows):
            return EngineChoices(rows, attributes, options, both, by_text, by_photo, np.zeros((0, 0)), None)
        pairs = {"rows": rows, "distinct": distinct, "position": position}
        found = dict(zip(names, self.session.run(names, {**inputs, **pairs}), strict=True))
        shown = inputs["region_mask"].max(1)[rows] if "region_mask" in inputs else np.zeros(len(rows))
        by_source = np.stack([found[key] for key in ("both", "by_text", "by_photo")])
        for number, attribute in enumerate(distinct.tolist()):
            chosen = (position == number).nonzero()[0]
            every = self._options_of(attribute, by_source[:, chosen])
            told = np.argsort(-every[0], 1, kind="stable")[:, :MAX_OPTIONS]
            options[chosen, : told.shape[1]] = told
            probability[:, chosen, : told.shape[1]] = np.take_along_axis(every, told[None], 2)
        by_photo *= shown[:, None]
        looked = found["unit_weights"], found.get("region_weights")
        return EngineChoices(rows, attributes, options, both, by_text, by_photo, *looked)

    def _options_of(self, attribute: int, found: np.ndarray) -> np.ndarray:
        """Probabilities of an attribute's options: (..., n, D) -> (..., n, K)."""
        at = slice(self.first[attribute], self.first[attribute + 1])
        scores = found @ self.vectors[at].T + self.bias[at]
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        return weights / weights.sum(-1, keepdims=True)
