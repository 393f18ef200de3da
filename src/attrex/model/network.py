"""The network: every variant of the paper, composed from the short files beside this one.

text embeddings + image regions -> fusion (TIR, Eq. 1-5) -> text encoder -> attribute range (Eq. 6-7)
-> one guided sequence per selected (row, attribute) pair (Eq. 8) -> BiLSTM -> CRF.

The encoders run once per row; what follows is proportional to the selected pairs, not to the number of attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from attrex.config import Config
from attrex.errors import ConfigError
from attrex.model.attribute_range import RangeClassifier, cap_pairs, select
from attrex.model.batch import BLANK, LOCATED, Batch, Decoded, Encoded, Losses
from attrex.model.concat import STYLES, Concat
from attrex.model.crf import CRF
from attrex.model.decoder import SpanDecoder
from attrex.model.flat import DecodedSpans, flat_spans
from attrex.model.guidance import DyNetGuidance, PrototypeGuidance, TextGuidance, pair_cosine
from attrex.model.image_encoder import ImageEncoder
from attrex.model.system import System
from attrex.model.tags import BEGIN, INSIDE, NUM_TAGS, OUTSIDE, forbidden_transitions, spans_from_tags
from attrex.model.text_encoder import TextEncoder
from attrex.model.tir import TIR
from attrex.types import UNKNOWN

MAX_DECODED_PAIRS = 2048
"""Most pairs decoded together when extracting: bounds memory however many attributes are selected."""


class Network(System):
    """ULS-DRAM and its variants, as :class:`Config` says.

    ``names`` are the tokens of the attribute names, (ids, mask) each (C, T), needed by BERT guidance only.
    """

    text: TextEncoder
    fusion_parts = ("tir", "concat")

    def __init__(
        self,
        config: Config,
        attributes: int,
        text: TextEncoder,
        image: ImageEncoder | None,
        guide: TextEncoder | None = None,
        names: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__(config, attributes, text, image)
        width, fusion = text.width, config.fusion
        self.tir: TIR | None = None
        self.concat: Concat | None = None
        if image is not None:
            if fusion.kind == "tir":
                self.tir = TIR(
                    width,
                    image.width,
                    width=fusion.width,
                    heads=fusion.heads,
                    softmax=fusion.softmax,
                    init_std=fusion.init_std,
                    output_std=fusion.output_std,
                    bounded=fusion.bounded,
                )
            else:
                self.concat = Concat(
                    width,
                    image.width,
                    self_attention=fusion.kind == "concat_attention",
                    heads=text.hf_config.num_attention_heads,
                    style=STYLES.get(fusion.kind, "concat"),
                    grid=image.grid(config.image.size),
                )

        guided = config.range.kind == "predicted"
        self.classifier = RangeClassifier(width, attributes) if guided else None
        self.guidance = self._guidance(width, guide, names) if guided else None
        tags = NUM_TAGS if guided else 2 * attributes + 1
        hidden = config.decoder.hidden or (width if guided else width // 2)
        self.decoder = SpanDecoder(width, hidden, tags, guided=guided, dropout=config.decoder.dropout)
        forbidden = forbidden_transitions(1 if guided else attributes)
        self.crf = CRF(tags, forbidden if config.decoder.constrained else ())

    def _guidance(
        self, width: int, guide: TextEncoder | None, names: tuple[Tensor, Tensor] | None
    ) -> PrototypeGuidance | TextGuidance | DyNetGuidance:
        match self.settings.guidance.kind:
            case "prototype":
                return PrototypeGuidance(self.attributes, width)
            case "dynet":
                return DyNetGuidance(self.attributes, width)
            case "bert":
                if guide is None or names is None or guide.width != width:
                    raise ConfigError("guidance.kind=bert needs a second text encoder, as wide as the first one")
                return TextGuidance(guide, *names)

    # ---- encoding -------------------------------------------------------------------------------------------------

    def encode(self, batch: Batch, *, region_weights: bool = False) -> Encoded:
        """Both encoders, once per row."""
        if self.image is None:
            return self.read(batch, None, None)
        return self.read(batch, *self.regions(batch), region_weights=region_weights)

    def read(
        self, batch: Batch, regions: Tensor | None, region_mask: Tensor | None, *, region_weights: bool = False
    ) -> Encoded:
        """The texts of a batch with the regions (B, R, V) and region_mask (B, R) of its photos."""
        text = self.text.embed(batch.input_ids)
        mask, weights = batch.token_mask, None
        if regions is not None and region_mask is not None:
            if self.tir is not None:
                text, weights = self.tir(text, mask, regions, region_mask)
            elif self.concat is not None:
                tokens = text.shape[1]
                text, mask = self.concat(text, mask, regions, region_mask)
                if region_weights:
                    weights = self.text.region_attention(text, mask, tokens)
        last, before = self.text.encode(text, mask)
        logits = self.classifier(last[:, 0], before[:, 0]) if self.classifier is not None else None
        features = last.gather(1, batch.unit_index[..., None].expand(-1, -1, last.shape[-1]))
        return Encoded(features, batch.unit_mask, logits, weights if region_weights else None)

    # ---- training -------------------------------------------------------------------------------------------------

    def forward(self, **tensors: Tensor) -> Losses:
        """Losses of a labelled :class:`Batch`, given as keyword arguments."""
        batch = Batch(**tensors)
        encoded = self.encode(batch)
        if self.classifier is None:
            return self._flat_loss(batch, encoded)
        assert encoded.range_logits is not None
        assert batch.cells is not None
        settings = self.settings.range
        gold = batch.cells == LOCATED
        doubt = self._uncertain_cells(batch)
        range_loss = self._range_loss(encoded.range_logits, batch, doubt) * settings.loss_weight
        if self.range_only:
            return Losses(range_loss, range_loss, None, 0)

        scores = encoded.range_logits.detach().sigmoid()
        weight = self._cell_weight((batch.cells == BLANK) | doubt)
        if self.drop_uncertain:
            # Nearly all of such a sequence is known to be O and the rest is open: more of these than of others teach O.
            weight = weight.masked_fill(doubt, 0)
        if batch.pair_weights is not None:
            weight, gold = self._with_pseudo_labels(batch, weight, gold)
        selected = select(scores, settings.threshold) | gold
        selected = cap_pairs(selected & (weight > 0), gold, scores, settings.max_pairs)
        rows, attributes = selected.nonzero(as_tuple=True)
        if not len(rows):
            return Losses(range_loss, range_loss, None, 0)
        emissions = self.emissions(encoded, rows, attributes)
        nll = self._pair_nll(emissions, self._pair_targets(batch, rows, attributes), batch.unit_mask[rows])
        nll = nll * weight[rows, attributes]
        tag_loss = nll.mean() if self.settings.decoder.reduction == "mean" else nll.sum()
        return Losses(range_loss + tag_loss, range_loss, tag_loss, len(rows))

    def _flat_loss(self, batch: Batch, encoded: Encoded) -> Losses:
        assert batch.flat_tags is not None
        emissions = self.decoder.flat(encoded.features, batch.unit_mask)
        nll = self._flat_nll(batch, emissions)
        loss = nll.mean() if self.settings.decoder.reduction == "mean" else nll.sum()
        return Losses(loss, None, loss, len(nll))

    def _flat_nll(self, batch: Batch, emissions: Tensor) -> Tensor:
        """(B,); a unit in doubt may also be a value of the attributes that it is in doubt for."""
        assert batch.flat_tags is not None
        if batch.pair_rows is None or batch.pair_attributes is None or batch.pair_tags is None:
            return self.crf.nll(emissions, batch.flat_tags, batch.unit_mask)
        pairs, units = (batch.pair_tags == UNKNOWN).nonzero(as_tuple=True)
        if not len(pairs) or not self.settings.range.partial_labels:
            return self.crf.nll(emissions, batch.flat_tags, batch.unit_mask)
        allowed = one_hot(batch.flat_tags, self.crf.num_tags).bool()
        rows, attributes = batch.pair_rows[pairs], batch.pair_attributes[pairs]
        outside = batch.flat_tags[rows, units] == OUTSIDE
        for tag in (BEGIN, INSIDE):
            allowed[rows[outside], units[outside], 2 * attributes[outside] + tag] = True
        return self.crf.partial_nll(emissions, allowed, batch.unit_mask)

    def _pair_nll(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """emissions (N, U, K), tags (N, U) with UNKNOWN, mask (N, U) -> (N,): exact, whatever is not known."""
        unknown = tags == UNKNOWN
        if not unknown.any() or not self.settings.range.partial_labels:
            return self.crf.nll(emissions, tags.masked_fill(unknown, OUTSIDE), mask)
        allowed = one_hot(tags.clamp(min=0), self.crf.num_tags).bool()
        allowed |= unknown[..., None]
        return self.crf.partial_nll(emissions, allowed, mask)

    def _uncertain_cells(self, batch: Batch) -> Tensor:
        """(B, C) bool: cells without a located value whose text names one that may be theirs."""
        assert batch.cells is not None
        doubt = torch.zeros_like(batch.cells, dtype=torch.bool)
        if batch.pair_rows is None or batch.pair_attributes is None or batch.pair_tags is None:
            return doubt
        unknown = (batch.pair_tags == UNKNOWN).any(1)
        doubt[batch.pair_rows[unknown], batch.pair_attributes[unknown]] = True
        return doubt & (batch.cells != LOCATED)

    def _with_pseudo_labels(self, batch: Batch, weight: Tensor, gold: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and range of the pairs, (B, C) each, with those that a teacher labelled: they count as it is sure."""
        assert batch.pair_weights is not None
        assert batch.pair_rows is not None
        assert batch.pair_attributes is not None
        taught = batch.pair_weights > 0
        rows, attributes = batch.pair_rows[taught], batch.pair_attributes[taught]
        weight, gold = weight.clone(), gold.clone()
        weight[rows, attributes] = batch.pair_weights[taught].to(weight.dtype)
        gold[rows, attributes] = True
        return weight, gold

    def _cell_weight(self, unsure: Tensor) -> Tensor:
        """How much each cell (B, C) counts: an unsure one as `range.unknown` says, all others fully."""
        settings = self.settings.range
        return torch.where(unsure, 1.0 if settings.unknown == "negative" else settings.unknown_weight, 1.0)

    def _range_loss(self, logits: Tensor, batch: Batch, doubt: Tensor) -> Tensor:
        """logits (B, C), doubt (B, C) -> a scalar."""
        assert batch.cells is not None
        settings = self.settings.range
        gold = batch.cells == LOCATED
        target = gold.to(logits.dtype)
        weight = self._cell_weight((batch.cells == BLANK) | doubt)
        if batch.range_targets is not None:  # what a teacher has a score for is in doubt no longer
            scored = batch.range_targets > 0
            doubt = doubt & ~scored
            target = torch.where(scored, batch.range_targets.to(target.dtype), target)
            weight = weight.masked_fill(scored, 1)
        if settings.unknown == "masked":
            weight = weight.masked_fill(doubt, 0)
        total = binary_cross_entropy_with_logits(logits, target, weight=weight, reduction="sum")
        return total / (weight.sum().clamp(min=1) if settings.reduction == "mean" else len(weight))

    def _pair_targets(self, batch: Batch, rows: Tensor, attributes: Tensor) -> Tensor:
        """(N, U) tags: the sequence of a labelled pair, all O for an attribute selected without being one."""
        return batch.tags_of(rows, attributes, torch.full_like(batch.unit_index[0], OUTSIDE))

    # ---- extracting -----------------------------------------------------------------------------------------------

    def emissions(self, encoded: Encoded, rows: Tensor, attributes: Tensor) -> Tensor:
        """One guided sequence per pair: rows (N,), attributes (N,) -> (N, U, K)."""
        match self.guidance:
            case DyNetGuidance():
                second = self.guidance.transform(encoded.features, rows, attributes)
                return self.decoder.concatenated(encoded.features, second, rows, encoded.unit_mask)
            case PrototypeGuidance() | TextGuidance():
                scale = pair_cosine(encoded.features, self.guidance, rows, attributes)
                return self.decoder.scaled(encoded.features, scale, rows, encoded.unit_mask)
            case _:
                raise ConfigError("range.kind=none has no attribute to guide by; use the flat decoder")

    @torch.no_grad()
    def extract(
        self, batch: Batch, *, threshold: float | None = None, region_weights: bool = False, only: Tensor | None = None
    ) -> Decoded:
        """Spans of a batch, with exact probabilities.

        ``threshold`` replaces S_thr; ``only`` (B, C) bool replaces the predicted range (to ask for given attributes);
        of a flat tagger it leaves the others' spans out.
        """
        encoded = self.encode(batch, region_weights=region_weights)
        if self.classifier is None:
            return Decoded(
                *self._extract_flat(encoded, self.asked(batch, only)),
                None,
                None,
                len(encoded.features),
                encoded.region_weights,
            )
        assert encoded.range_logits is not None
        scores = encoded.range_logits.float().sigmoid()
        selected = select(scores, self.settings.range.threshold if threshold is None else threshold)
        if batch.allowed is not None and self.settings.range.mask_by_category:
            selected = selected & batch.allowed
        if only is not None:
            selected = only
        rows, attributes = selected.nonzero(as_tuple=True)
        parts = [
            self._extract_pairs(encoded, r, a)
            for r, a in zip(rows.split(MAX_DECODED_PAIRS), attributes.split(MAX_DECODED_PAIRS), strict=True)
        ]
        v_rows, v_attributes, starts, ends, probability = (torch.cat(part) for part in zip(*parts, strict=True))
        return Decoded(
            v_rows, v_attributes, starts, ends, probability, scores, selected, len(rows), encoded.region_weights
        )

    def _extract_pairs(self, encoded: Encoded, rows: Tensor, attributes: Tensor) -> DecodedSpans:
        if not len(rows):
            return rows, attributes, rows, rows, rows.float()
        mask = encoded.unit_mask[rows]
        emissions = self.emissions(encoded, rows, attributes)
        tags = self.crf.viterbi(emissions, mask)
        pairs, starts, ends = spans_from_tags(tags, mask)
        probability = self.crf.segment_log_probability(emissions, mask, pairs, starts, ends).exp()
        return rows[pairs], attributes[pairs], starts, ends, probability

    def _extract_flat(self, encoded: Encoded, only: Tensor | None) -> DecodedSpans:
        emissions = self.decoder.flat(encoded.features, encoded.unit_mask)
        return flat_spans(self.crf, emissions, encoded.unit_mask, only)

    # ---- as a system ----------------------------------------------------------------------------------------------

    @property
    def predicts_range(self) -> bool:
        return self.classifier is not None

    def init_bias(self, frequency: Tensor) -> None:
        if self.classifier is not None:
            self.classifier.init_bias(frequency)

    def text_encoders(self) -> Iterator[TextEncoder]:
        yield self.text
        if isinstance(self.guidance, TextGuidance):
            yield self.guidance.encoder

    def pretrained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Those of the text encoder (and of BERT guidance's)."""
        yield from ((n, p) for n, p in self.named_parameters() if n.startswith(("text.", "guidance.encoder.")))

    def architecture(self) -> dict[str, Any]:
        guide = self.guidance.encoder.spec() if isinstance(self.guidance, TextGuidance) else None
        return super().architecture() | {"guide": guide}
