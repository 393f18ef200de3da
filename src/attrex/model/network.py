"""The network: every variant of the paper, composed from the short files beside this one.

text embeddings + image regions -> fusion (TIR, Eq. 1-5) -> text encoder -> attribute range (Eq. 6-7)
-> one guided sequence per selected (row, attribute) pair (Eq. 8) -> BiLSTM -> CRF.

The encoders run once per row; what follows is proportional to the selected pairs, not to the number of attributes.
Losses are in :mod:`attrex.model.losses`, spans are read off in :mod:`attrex.model.decode`.

Shape letters:
    B rows     S tokens     U units     D text width     R regions of a row     V image width     C attributes
    N selected (row, attribute) pairs     K tags     T tokens of an attribute's name
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from attrex.config import Config
from attrex.errors import ConfigError
from attrex.model.attribute_range import RangeClassifier, select
from attrex.model.batch import Choices, Decoded, Encoded, Inputs, Losses, Targets
from attrex.model.concat import STYLES, Concat
from attrex.model.crf import CRF
from attrex.model.decode import DecodedSpans, decode_flat, decode_pairs, no_spans
from attrex.model.decoder import DirectEmissions, SpanDecoder
from attrex.model.fusion import Fusion
from attrex.model.guidance import DyNetGuidance, Guidance, PrototypeGuidance, TextGuidance, VectorGuidance, pair_cosine
from attrex.model.image_encoder import ImageEncoder
from attrex.model.losses import (
    choice_nll,
    flat_nll,
    pair_nll,
    range_loss,
    training_pairs,
    uncertain_cells,
    value_range_loss,
)
from attrex.model.system import System
from attrex.model.tags import NUM_TAGS, forbidden_transitions
from attrex.model.text_encoder import TextEncoder
from attrex.model.tir import TIR
from attrex.model.value_head import Found, ValueHead
from attrex.systems import load_part, names_code

if TYPE_CHECKING:
    from attrex.model.build import Parts

MAX_OPTIONS = 8
"""Most options of an attribute that are told with their probabilities, the surest ones."""
MAX_DECODED_PAIRS = 2048
"""Most pairs decoded together when extracting: bounds memory however many attributes are selected."""


class Network(System):
    """ULS-DRAM and its variants, as :class:`Config` says.

    :param names: (C, T) ids and (C, T) mask of the attribute names' tokens, for BERT guidance.
    :param own_fusion: a fusion of the user's own in place of a built-in one.
    :param own_guidance: a guidance likewise.
    :param options: how many options each attribute has, and (O, D) readings of their names, for a value head.
    """

    text: TextEncoder
    fusion_parts = ("tir", "concat", "fusion")

    def __init__(
        self,
        config: Config,
        attributes: int,
        text: TextEncoder,
        image: ImageEncoder | None,
        guide: TextEncoder | None = None,
        names: tuple[Tensor, Tensor] | None = None,
        *,
        own_fusion: Fusion | None = None,
        own_guidance: Guidance | None = None,
        options: tuple[Sequence[int], Tensor] | None = None,
    ) -> None:
        super().__init__(config, attributes, text, image)
        width, fusion = text.width, config.fusion
        self.tir: TIR | None = None
        self.concat: Concat | None = None
        self.fusion = own_fusion
        if image is not None and own_fusion is None:
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
        self.guidance = own_guidance
        if guided and own_guidance is None:
            self.guidance = self._guidance(width, guide, names)
        tags = NUM_TAGS if guided else 2 * attributes + 1
        hidden = config.decoder.hidden or (width if guided else width // 2)
        self.decode_pairs = decode_pairs  #: how the spans of a pair are read off, or `surest_pairs`
        self.decoder = SpanDecoder(width, hidden, tags, guided=guided, dropout=config.decoder.dropout)
        self.direct = DirectEmissions(attributes, width, tags) if guided and config.decoder.direct else None
        if self.direct is not None:
            self.decoder.start_at_nothing()
        forbidden = forbidden_transitions(1 if guided else attributes)
        self.crf = CRF(tags, forbidden if config.decoder.constrained else ())
        self.values: ValueHead | None = None
        self.value_range: RangeClassifier | None = None
        self.value_prototypes: nn.Embedding | None = None
        if options is not None:
            self.values = ValueHead(
                width, image.width if image is not None else None, *options, dropout=config.values.dropout
            )
            self.value_range = RangeClassifier(width, attributes)
            if not isinstance(self.guidance, VectorGuidance):
                self.value_prototypes = nn.Embedding(attributes, width)

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        """As :meth:`System.build`, with a second text encoder for BERT guidance and with parts of the user's own."""
        text, guided = parts.text, config.range.kind == "predicted"
        bert = guided and config.guidance.kind == "bert"
        guide = parts.guide if bert else None
        fusion = guidance = None
        if parts.image is not None and names_code(config.fusion.kind):
            fusion = load_part("fusion.kind", config.fusion.kind, Fusion).build(config, text.width, parts.image)
        if guided and names_code(config.guidance.kind):
            own = load_part("guidance.kind", config.guidance.kind, Guidance)
            guidance = own.build(config, attributes, text.width, parts)
        names = parts.name_tokens if bert else None
        options = None
        if guided and config.values.head:
            options = [len(a.options) for a in parts.schema.attributes], parts.option_readings
        return cls(
            config,
            attributes,
            text,
            parts.image,
            guide,
            names,
            own_fusion=fusion,
            own_guidance=guidance,
            options=options,
        )

    def _guidance(self, width: int, guide: TextEncoder | None, names: tuple[Tensor, Tensor] | None) -> Guidance:
        match self.settings.guidance.kind:
            case "prototype":
                return PrototypeGuidance(self.attributes, width)
            case "dynet":
                return DyNetGuidance(self.attributes, width)
            case "bert":
                if guide is None or names is None or guide.width != width:
                    raise ConfigError("guidance.kind=bert needs a second text encoder, as wide as the first one")
                return TextGuidance(guide, *names)
            case kind:
                raise ConfigError(f"guidance.kind={kind} is one of your own; give it as own_guidance")

    # ---- encoding -------------------------------------------------------------------------------------------------

    def encode(self, inputs: Inputs, *, region_weights: bool = False) -> Encoded:
        """Both encoders, once per row."""
        if self.image is None:
            return self.encode_text(inputs, None, None)
        return self.encode_text(inputs, *self.regions(inputs), region_weights=region_weights)

    def encode_text(
        self, inputs: Inputs, regions: Tensor | None, region_mask: Tensor | None, *, region_weights: bool = False
    ) -> Encoded:
        """The texts of a batch with the regions of its photos.

        :param regions: (B, R, V), None for a text-only model.
        :param region_mask: (B, R) bool, None likewise.
        """
        text, mask, weights = self.text.embed(inputs.input_ids), inputs.token_mask, None
        if regions is not None and region_mask is not None:
            if self.tir is not None:
                text, weights = self.tir(text, mask, regions, region_mask)
            elif self.fusion is not None:
                text, mask, weights = self.fusion(text, mask, regions, region_mask)
            elif self.concat is not None:
                tokens = text.shape[1]
                text, mask = self.concat(text, mask, regions, region_mask)
                if region_weights:
                    weights = self.text.region_attention(text, mask, tokens)
        last, before = self.text.encode(text, mask)
        logits = self.classifier(last[:, 0], before[:, 0]) if self.classifier is not None else None
        features = last.gather(1, inputs.unit_index[..., None].expand(-1, -1, last.shape[-1]))
        encoded = Encoded(features, inputs.unit_mask, logits, weights if region_weights else None)
        if self.value_range is not None:
            encoded.state, encoded.value_logits = last[:, 0], self.value_range(last[:, 0], before[:, 0])
            encoded.regions, encoded.region_mask = regions, region_mask
        return encoded

    def emissions(self, encoded: Encoded, rows: Tensor, attributes: Tensor) -> Tensor:
        """One guided sequence per pair.

        :param rows: (N,) long.
        :param attributes: (N,) long.
        :return: (N, U, K)
        """
        match self.guidance:
            case VectorGuidance():
                scale = pair_cosine(encoded.features, self.guidance, rows, attributes)
                emissions = self.decoder.scaled(encoded.features, scale, rows, encoded.unit_mask)
            case Guidance():
                second = self.guidance(encoded.features, rows, attributes)
                emissions = self.decoder.concatenated(encoded.features, second, rows, encoded.unit_mask)
            case _:
                raise ConfigError("range.kind=none has no attribute to guide by; use the flat decoder")
        return emissions if self.direct is None else emissions + self.direct(encoded.features, rows, attributes)

    # ---- training -------------------------------------------------------------------------------------------------

    def losses(self, inputs: Inputs, targets: Targets) -> Losses:
        encoded = self.encode(inputs)
        if encoded.range_logits is None:
            return self._flat_losses(encoded, targets)
        losses = self._range_losses(encoded, encoded.range_logits, targets)
        if self.values is not None and encoded.value_logits is not None:
            losses.value_loss = self._value_loss(encoded, encoded.value_logits, targets)
            losses.loss = losses.loss + losses.value_loss * self.settings.values.loss_weight
        return losses

    def _flat_losses(self, encoded: Encoded, targets: Targets) -> Losses:
        mask = encoded.unit_mask
        emissions = self.decoder.flat(encoded.features, mask)
        nll = flat_nll(self.crf, emissions, targets, mask, partial_labels=self.settings.range.partial_labels)
        loss = self._reduced(nll)
        return Losses(loss, None, loss, len(nll))

    def _range_losses(self, encoded: Encoded, logits: Tensor, targets: Targets) -> Losses:
        """The range's loss, and that of the pairs in the gold and in the predicted range; ``logits`` (B, C)."""
        settings = self.settings.range
        uncertain = uncertain_cells(targets)
        of_range = range_loss(logits, targets, uncertain, settings) * settings.loss_weight
        if self.range_only:
            return Losses(of_range, of_range, None, 0)
        scores = logits.detach().sigmoid()
        selected, weight = training_pairs(scores, targets, uncertain, settings, drop_uncertain=self.drop_uncertain)
        rows, attributes = selected.nonzero(as_tuple=True)
        if not len(rows):
            return Losses(of_range, of_range, None, 0)
        emissions, tags = self.emissions(encoded, rows, attributes), targets.tags_of(rows, attributes)
        nll = pair_nll(self.crf, emissions, tags, encoded.unit_mask[rows], partial_labels=settings.partial_labels)
        of_tags = self._reduced(nll * weight[rows, attributes])
        return Losses(of_range + of_tags, of_range, of_tags, len(rows))

    def _value_loss(self, encoded: Encoded, logits: Tensor, targets: Targets) -> Tensor:
        """Of having a value, and of which, summed over the cells of a row; ``logits`` (B, C)."""
        assert self.values is not None
        settings = self.settings.values
        loss = value_range_loss(logits, targets, settings.blank_weight)
        if targets.choices is None:
            return loss
        rows, attributes, options = targets.choices
        found, vectors = self.find_values(encoded, rows, attributes)
        counts = targets.choice_weights
        counts = rows.new_ones(len(rows), dtype=torch.float) if counts is None else counts.float()
        compared = [(counts, self.values.combine(vectors, found.text, found.photo))]
        if settings.alone_weight and encoded.region_mask is not None:
            shown = encoded.region_mask.any(1)[rows] * settings.alone_weight * counts
            nothing = torch.zeros_like(found.text)
            for alone in ((found.text, nothing), (nothing, found.photo)):
                compared.append((shown, self.values.combine(vectors, *alone)))
        for weight, seen in compared:
            for _, pairs, scores in self.values.choose(seen, attributes):
                loss = loss + (choice_nll(scores, options[pairs]) * weight[pairs]).sum() / len(logits)
        return loss

    def find_values(self, encoded: Encoded, rows: Tensor, attributes: Tensor) -> tuple[Found, Tensor]:
        """What the prototypes of pairs (N,) find in text and photos, and these prototypes (N, D)."""
        assert self.values is not None
        assert encoded.state is not None
        distinct, position = attributes.unique(return_inverse=True)
        vectors = self.prototypes(distinct)
        source = (encoded.features, encoded.unit_mask, encoded.state, encoded.regions, encoded.region_mask)
        return self.values.find(vectors, rows, position, *source), vectors[position]

    def prototypes(self, attributes: Tensor) -> Tensor:
        """P^a of attributes (A,): those of Eq. 8, or, where its guidance has no vectors, some of the head's own."""
        if isinstance(self.guidance, VectorGuidance):
            return self.guidance.vectors(attributes)
        assert self.value_prototypes is not None
        return self.value_prototypes(attributes)

    def _reduced(self, nll: Tensor) -> Tensor:
        return nll.mean() if self.settings.decoder.reduction == "mean" else nll.sum()

    # ---- extracting -----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def extract(self, inputs: Inputs, *, threshold: float | None = None, region_weights: bool = False) -> Decoded:
        """Spans of a batch, with exact probabilities. ``inputs.attributes`` replaces the predicted range."""
        encoded = self.encode(inputs, region_weights=region_weights)
        if encoded.range_logits is None:
            emissions = self.decoder.flat(encoded.features, encoded.unit_mask)
            spans = decode_flat(self.crf, emissions, encoded.unit_mask, self.wanted(inputs))
            return Decoded(*spans, None, None, len(encoded.features), encoded.region_weights)
        scores = encoded.range_logits.float().sigmoid()
        selected = select(scores, self.settings.range.threshold if threshold is None else threshold)
        if inputs.allowed is not None and self.settings.range.mask_by_category:
            selected = selected & inputs.allowed
        if inputs.attributes is not None:
            selected = inputs.attributes
        rows, attributes = selected.nonzero(as_tuple=True)
        parts = zip(rows.split(MAX_DECODED_PAIRS), attributes.split(MAX_DECODED_PAIRS), strict=True)
        spans = DecodedSpans.concatenate([self._decode(encoded, r, a) for r, a in parts])
        decoded = Decoded(*spans, scores, selected, len(rows), encoded.region_weights)
        if encoded.value_logits is not None:
            decoded.value_scores = encoded.value_logits.float().sigmoid()
            decoded.choices = self._choose(encoded, decoded.value_scores, selected, inputs)
        return decoded

    def _choose(self, encoded: Encoded, value_scores: Tensor, selected: Tensor, inputs: Inputs) -> Choices:
        """The surest options of the attributes that a product may have a value of; ``value_scores`` (B, C)."""
        assert self.values is not None
        asked = selected | select(value_scores, self.settings.values.threshold)
        if inputs.allowed is not None and self.settings.range.mask_by_category:
            asked = asked & inputs.allowed
        if inputs.attributes is not None:
            asked = inputs.attributes
        rows, attributes = (asked & (self.values.sizes > 0)).nonzero(as_tuple=True)
        found, vectors = self.find_values(encoded, rows, attributes)
        both, by_text, by_photo = (
            self.values.choose(compared, attributes) for compared in self.values.compare(vectors, found)
        )
        shown = encoded.region_mask.any(1)[rows] if encoded.region_mask is not None else torch.zeros_like(rows)
        options = torch.full((len(rows), MAX_OPTIONS), -1, device=rows.device)
        probability = torch.zeros(3, len(rows), MAX_OPTIONS, device=rows.device)
        for (_, pairs, logits), (_, _, text), (_, _, photo) in zip(both, by_text, by_photo, strict=True):
            chosen = logits.topk(min(MAX_OPTIONS, logits.shape[-1])).indices
            options[pairs, : chosen.shape[1]] = chosen
            for source, scores in enumerate((logits, text, photo)):
                probability[source, pairs, : chosen.shape[1]] = scores.float().softmax(-1).gather(1, chosen)
        return Choices(
            rows,
            attributes,
            options,
            probability[0],
            probability[1],
            probability[2] * shown[:, None],
            found.unit_weights,
            found.region_weights,
        )

    def _decode(self, encoded: Encoded, rows: Tensor, attributes: Tensor) -> DecodedSpans:
        """Spans of pairs (N,)."""
        if not len(rows):
            return no_spans(rows, attributes)
        emissions = self.emissions(encoded, rows, attributes)
        return self.decode_pairs(self.crf, emissions, encoded.unit_mask[rows], rows, attributes)

    # ---- as a system ----------------------------------------------------------------------------------------------

    @property
    def predicts_range(self) -> bool:
        return self.classifier is not None

    @property
    def chooses_values(self) -> bool:
        return self.values is not None

    def init_bias(self, located: Tensor, filled: Tensor, options: Tensor) -> None:
        if self.classifier is not None:
            self.classifier.init_bias(located)
        if self.values is not None and self.value_range is not None:
            self.value_range.init_bias(filled)
            self.values.init_bias(options)

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
