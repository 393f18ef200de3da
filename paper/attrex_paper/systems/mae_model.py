"""MAE-model (Logan et al., 2017): given an attribute, the nearest of a closed vocabulary of values.

Query: a trained vector per attribute. Text: frozen word vectors, convolutions of widths 5 and 7 side by side, ReLU,
maximum over the words, dropout, FC; beside the attribute, FC. Photos: FC of each, maximum over up to four of them;
beside the attribute, FC. [attribute ; text ; photos] -> two FC layers -> compared with a trained vector per value by
the cosine. Loss: max(0, 1 + d(right) - d(wrong)), d = 1 - cos, against another value of the attribute and any other
value.

The method says a value and no place. A value is given out where the text says it, at every place; one that the text
does not say cannot be told as a span, and is not. Confidence is the cosine, brought to 0..1.

Different here: the vocabulary is what the training products' spans say; title and description are read as one text;
a photo is the mean of its regions in place of VGG's fc7. Dropout is the published 0.5, whatever `decoder.dropout` is.

Shape letters:
    B rows     U units     E width of words     V image width     I photos of a row     N pairs     W width
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attrex.config import Config
from attrex.errors import ConfigError
from attrex.model.batch import Inputs, Targets
from attrex.model.build import Parts
from attrex.model.image_encoder import ImageEncoder
from attrex_paper.systems.values import ValueIds, ValueSystem, first_values
from attrex_paper.systems.words import WordEmbeddings

WIDTH = 1024
FILTERS = (5, 7)  # widths of the convolutions, in words
DROPOUT = 0.5


class MAEModel(ValueSystem):
    """``values`` how many, ``longest`` in tokens: what :meth:`build_vocabulary` found when the model was trained."""

    image: ImageEncoder
    value_ids: Tensor
    value_attribute: Tensor

    def __init__(
        self,
        config: Config,
        attributes: int,
        words: WordEmbeddings,
        image: ImageEncoder,
        values: int = 1,
        longest: int = 1,
    ) -> None:
        super().__init__(config, attributes, image=image)
        self.words = words.requires_grad_(False)
        self.width = width = config.decoder.hidden or WIDTH
        self.attribute = nn.Embedding(attributes, width)
        half = width // 2
        if not half:
            raise ConfigError(f"decoder.hidden should be at least 2 for system=mae-model, got {width}")
        self.convolutions = nn.ModuleList(
            nn.Conv1d(words.width, channels, size, padding=size // 2)
            for channels, size in zip((half, width - half), FILTERS, strict=True)
        )
        self.text_own, self.text_asked = nn.Linear(width, width), nn.Linear(2 * width, width)
        self.image_own, self.image_asked = nn.Linear(image.width, width), nn.Linear(2 * width, width)
        self.fused, self.answer = nn.Linear(3 * width, width), nn.Linear(width, width)
        self.dropout = nn.Dropout(DROPOUT)
        self._make_vocabulary(values, longest)

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        words = WordEmbeddings.of(parts)
        assert parts.image is not None  # Config has checked it
        return cls(config, attributes, words, parts.image, *parts.saved.get("values", ()))

    def _make_vocabulary(self, values: int, longest: int) -> None:
        self.value = nn.Embedding(values, self.width)
        self.register_buffer("value_ids", torch.full((values, longest), -1))  # padded with -1
        self.register_buffer("value_attribute", torch.zeros(values, dtype=torch.long))

    def build_vocabulary(self, values: Iterable[tuple[int, ValueIds]]) -> None:
        known = sorted(set(values))
        self._make_vocabulary(max(1, len(known)), max((len(ids) for _, ids in known), default=1))
        for number, (attribute, ids) in enumerate(known):
            self.value_attribute[number] = attribute
            self.value_ids[number, : len(ids)] = torch.tensor(ids)

    def architecture(self) -> dict[str, Any]:
        more = {"words": self.words.spec(), "values": list(self.value_ids.shape)}
        return super().architecture() | more

    # ---- encoding -------------------------------------------------------------------------------------------------

    def encode(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Text and photos of each row, (B, W) each, before an attribute is asked for."""
        words = self.words(inputs).transpose(1, 2)  # (B, E, U)
        convolved = torch.cat([conv(words)[..., : words.shape[-1]] for conv in self.convolutions], 1).relu()
        text = (convolved * inputs.unit_mask[:, None]).amax(-1)  # after the ReLU, 0 is least
        return self.text_own(self.dropout(text)).relu(), self._encode_photos(inputs)

    def _encode_photos(self, inputs: Inputs) -> Tensor:
        """The maximum over a row's photos (B, W), 0 without any."""
        regions, region_mask = self.regions(inputs)
        photos = 1 if inputs.image_index is None else inputs.image_index.shape[1]
        each = self.image_own(self.dropout(regions.unflatten(1, (photos, -1)).mean(2))).relu()  # (B, I, W)
        there = region_mask.unflatten(1, (photos, -1)).any(2)[..., None]
        return (each * there).amax(1)

    def queries(self, encoded: tuple[Tensor, Tensor], rows: Tensor, attributes: Tensor) -> Tensor:
        """What is compared with the values.

        :param encoded: text and photos, (B, W) each.
        :param rows: (N,)
        :param attributes: (N,)
        :return: (N, W)
        """
        text, photos = encoded
        attribute = self.attribute(attributes)
        text = self.text_asked(torch.cat([text[rows], attribute], -1)).relu()
        photos = self.image_asked(torch.cat([photos[rows], attribute], -1)).relu()
        return self.answer(self.fused(torch.cat([attribute, text, photos], -1)).relu())

    def cosines(self, queries: Tensor) -> Tensor:
        """Of queries (N, W) with every value: (N, values)."""
        return F.normalize(queries.float(), dim=-1) @ F.normalize(self.value.weight.float(), dim=-1).t()

    # ---- training -------------------------------------------------------------------------------------------------

    def _training_pairs(self, gold: Tensor) -> Tensor:
        return gold  # a value's absence is nothing that this method knows

    def pair_losses(
        self, encoded: tuple[Tensor, Tensor], inputs: Inputs, targets: Targets, rows: Tensor, attributes: Tensor
    ) -> Tensor:
        right = self._gold_values(inputs, targets, rows, attributes)
        cosines = self.cosines(self.queries(encoded, rows, attributes))
        own = self.value_attribute == attributes[:, None]  # (N, values)
        others = torch.ones_like(own)
        correct = cosines.gather(1, right.clamp(min=0)[:, None])[:, 0]
        margins = [self._margin(cosines, correct, allowed, right) for allowed in (own, others)]
        return torch.stack(margins).mean(0) * (right >= 0)

    def _margin(self, cosines: Tensor, correct: Tensor, allowed: Tensor, right: Tensor) -> Tensor:
        """Against one wrong value, drawn at random: (N,), 0 where there is none.

        :param cosines: (N, values)
        :param correct: (N,) of the right value.
        :param allowed: (N, values) bool, those to draw from.
        :param right: (N,) the right value, -1 for none.
        """
        drawn = torch.rand_like(cosines).masked_fill(~allowed, -1).scatter(1, right.clamp(min=0)[:, None], -1)
        best = drawn.max(1)
        wrong = cosines.gather(1, best.indices[:, None])[:, 0]
        return (1 - correct + wrong).clamp(min=0) * (best.values >= 0)

    def _gold_values(self, inputs: Inputs, targets: Targets, rows: Tensor, attributes: Tensor) -> Tensor:
        """The value of each gold pair's first span (N,), -1 for one outside of the vocabulary."""
        number = {key: n for n, key in enumerate(self._vocabulary())}
        values = first_values(inputs, targets, rows, attributes, self.words.reserved)
        return torch.tensor(
            [number.get((a, ids), -1) for a, ids in zip(attributes.tolist(), values, strict=True)], device=rows.device
        )

    # ---- extracting -----------------------------------------------------------------------------------------------

    def answers(
        self, encoded: tuple[Tensor, Tensor], rows: Tensor, attributes: Tensor
    ) -> tuple[list[ValueIds], Tensor]:
        cosines = self.cosines(self.queries(encoded, rows, attributes))
        best = cosines.masked_fill(self.value_attribute != attributes[:, None], -2).max(1)
        vocabulary = list(self._vocabulary())
        known = zip((best.values > -2).tolist(), best.indices.tolist(), strict=True)
        values = [vocabulary[value][1] if has_values else () for has_values, value in known]
        return values, (best.values.clamp(-1, 1) + 1) / 2

    def _vocabulary(self) -> Iterator[tuple[int, ValueIds]]:
        for attribute, ids in zip(self.value_attribute.tolist(), self.value_ids.tolist(), strict=True):
            yield attribute, tuple(i for i in ids if i >= 0)
