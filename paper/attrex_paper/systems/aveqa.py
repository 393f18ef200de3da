"""AVEQA (Wang et al., 2020): the attribute is a question, its value a span of the text, and there may be no answer.

[CLS] attribute [SEP] text [SEP] through BERT. Begin: softmax_i(w_b.h_i); end: softmax_i(w_e.[h_b ; h_i]) over i >= b;
answerable: a linear layer on [CLS]. Distilled masked language model: with the value's tokens masked, the encoder should
guess at them as it did before it was trained. Loss: mean of both cross entropies, plus 0.5 times the answer's, plus 0.5
times the distillation's.

Different here: guesses are read off by the embedding matrix alone, for encoders such as MiniLM come without a
masked-language head; one segment type for question and text. As in the paper there is one answer per question: of
several gold spans the first is learned, and one is found per text window.

Shape letters:
    B rows     S tokens     U units     D width     T tokens of a name     N pairs
    L = T + S - 1 tokens of a question and a text     M masked tokens
"""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, kl_div

from attrex.config import Config
from attrex.errors import ConfigError
from attrex.model.batch import Inputs, Targets
from attrex.model.build import Parts
from attrex.model.decode import DecodedSpans
from attrex.model.tags import spans_from_tags
from attrex.model.text_encoder import TextEncoder
from attrex_paper.systems.query import NameReader, Names

ANSWER_WEIGHT = 0.5
DISTILLED_WEIGHT = 0.5


class Answers(NamedTuple):
    """What the encoder makes of pairs of a text and a question.

    :param states: (N, U, D)
    :param begin: (N, U) logits.
    :param answerable: (N,) logits.
    """

    states: Tensor
    begin: Tensor
    answerable: Tensor


class AVEQA(NameReader):
    """Reads the text once for each question.

    ``mask`` is the id of [MASK]; None leaves distillation out, for use or for a tokenizer without one. The encoder as
    it was pretrained teaches, and is no part of the checkpoint: training takes it from `text.model`, also when resumed.
    """

    pairs_at_once = 64  # each is a pass of the encoder

    def __init__(
        self, config: Config, attributes: int, text: TextEncoder, names: Names, mask: int | None = None
    ) -> None:
        super().__init__(config, attributes, text, names)
        self.mask = mask
        guesses = mask is not None and text.project is None
        self.teacher = [deepcopy(text).requires_grad_(False).eval()] if guesses else []  # a list: no submodule
        longest = config.text.max_tokens + names[0].shape[1] - 1
        if longest > text.max_tokens:
            raise ConfigError(
                f"system=aveqa reads an attribute's name before each text: text.max_tokens={config.text.max_tokens} "
                f"makes {longest} tokens, {config.text.model} reads {text.max_tokens}; lower it by "
                f"{longest - text.max_tokens}"
            )
        self.dropout = nn.Dropout(config.decoder.dropout)
        self.begin = nn.Linear(text.width, 1, bias=False)  # w_b
        self.end_begin = nn.Linear(text.width, 1, bias=False)  # the half of w_e that reads h_b
        self.end = nn.Linear(text.width, 1, bias=False)  # the half that reads h_i
        self.answerable = nn.Linear(text.width, 1)

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        return cls(config, attributes, parts.text, parts.name_tokens, parts.mask_id)

    def encode(self, inputs: Inputs) -> None:
        """Nothing can be encoded before the question is known."""

    def answers(self, inputs: Inputs, rows: Tensor, attributes: Tensor) -> Answers:
        """Encode pairs (N,)."""
        ids, mask, shift = self.questions(inputs, rows, attributes)
        last, _ = self.text.encode(self.text.embed(ids), mask)
        last = self.dropout(last)
        index = (inputs.unit_index[rows] + shift[:, None])[..., None].expand(-1, -1, last.shape[-1])
        states = last.gather(1, index)
        begin = self.begin(states)[..., 0].float().masked_fill(~inputs.unit_mask[rows], -1e9)
        return Answers(states, begin, self.answerable(last[:, 0])[:, 0].float())

    def questions(self, inputs: Inputs, rows: Tensor, attributes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[CLS] name [SEP] text [SEP] of pairs.

        :param rows: (N,)
        :param attributes: (N,)
        :return: ids (N, L), mask (N, L), and how far the text's tokens move (N,).
        """
        names, length = self.name_ids[attributes], self.name_mask[attributes].sum(1, keepdim=True)
        text, text_mask = inputs.input_ids[rows], inputs.token_mask[rows]
        position = torch.arange(names.shape[1] + text.shape[1] - 1, device=rows.device).expand(len(rows), -1)
        in_name = position < length
        at = position - length + 1  # in the text, whose own [CLS] is left out
        inside = at < text.shape[1]
        at = at.clamp(0, text.shape[1] - 1)
        ids = torch.where(in_name, names.gather(1, position.clamp(max=names.shape[1] - 1)), text.gather(1, at))
        return ids, in_name | (inside & text_mask.gather(1, at)), length[:, 0] - 1

    def ends(self, answers: Answers, starts: Tensor, mask: Tensor) -> Tensor:
        """Logits of where spans end, the last unit counted in.

        :param starts: (N,) where they begin.
        :param mask: (N, U) bool.
        :return: (N, U)
        """
        number = torch.arange(len(starts), device=starts.device)
        first = self.end_begin(answers.states[number, starts])
        logits = (first[:, None] + self.end(answers.states))[..., 0].float()
        before = torch.arange(mask.shape[1], device=starts.device) < starts[:, None]
        return logits.masked_fill(before | ~mask, -1e9)

    def pair_losses(self, encoded: None, inputs: Inputs, targets: Targets, rows: Tensor, attributes: Tensor) -> Tensor:
        answers, mask = self.answers(inputs, rows, attributes), inputs.unit_mask[rows]
        pairs, starts, ends = spans_from_tags(targets.tags_of(rows, attributes), mask)
        first = torch.ones_like(pairs, dtype=torch.bool)
        first[1:] = pairs[1:] != pairs[:-1]
        pairs, starts, ends = pairs[first], starts[first], ends[first] - 1
        answered = torch.zeros_like(answers.answerable).index_fill(0, pairs, 1.0)
        loss = ANSWER_WEIGHT * binary_cross_entropy_with_logits(answers.answerable, answered, reduction="none")
        if not len(pairs):
            return loss
        chosen = Answers(*(part[pairs] for part in answers))
        span = cross_entropy(chosen.begin, starts, reduction="none")
        span = span + cross_entropy(self.ends(chosen, starts, mask[pairs]), ends, reduction="none")
        loss = loss.index_add(0, pairs, span / 2)
        if not self.teacher:
            return loss
        distilled = self.distilled(inputs, rows[pairs], attributes[pairs], starts, ends)
        return loss.index_add(0, pairs, DISTILLED_WEIGHT * distilled)

    def distilled(self, inputs: Inputs, rows: Tensor, attributes: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
        """How far the guesses at masked values are from the teacher's: KL, the mean over each pair's tokens (N,).

        :param rows: (N,)
        :param attributes: (N,)
        :param starts: (N,) first masked unit.
        :param ends: (N,) last masked unit, counted in.
        """
        teacher = self.teacher[0].to(inputs.input_ids.device)
        ids, mask, shift = self.questions(inputs, rows, attributes)
        index = inputs.unit_index[rows] + shift[:, None]
        number = torch.arange(len(rows), device=rows.device)
        last = (inputs.unit_mask[rows].sum(1) - 1 == ends) | (ends + 1 >= index.shape[1])
        after = torch.where(last, mask.sum(1) - 1, index[number, (ends + 1).clamp(max=index.shape[1] - 1)])
        position = torch.arange(ids.shape[1], device=ids.device)
        hidden = (position >= index[number, starts][:, None]) & (position < after[:, None])
        hidden &= ids != ids[number, mask.sum(1) - 1][:, None]  # no separator between two fields
        masked = ids.masked_fill(hidden, self.mask or 0)
        matrix: Tensor = teacher.embeddings.word_embeddings.weight  # type: ignore[assignment, union-attr]
        guess, target = (
            (encoder.encode(encoder.embed(masked), mask)[0][hidden] @ matrix.t()).float().log_softmax(-1)  # (M, words)
            for encoder in (self.text, teacher)
        )
        each = kl_div(guess, target, reduction="none", log_target=True).sum(-1)
        total = each.new_zeros(len(rows)).index_add(0, hidden.nonzero()[:, 0], each)
        return total / hidden.sum(1)

    def decode(self, encoded: None, inputs: Inputs, rows: Tensor, attributes: Tensor) -> DecodedSpans:
        answers = self.answers(inputs, rows, attributes)
        answered = answers.answerable > 0
        answers, rows, attributes = Answers(*(part[answered] for part in answers)), rows[answered], attributes[answered]
        begin, starts = answers.begin.softmax(-1).max(-1)
        end, ends = self.ends(answers, starts, inputs.unit_mask[rows]).softmax(-1).max(-1)
        probability = answers.answerable.sigmoid() * begin * end
        return DecodedSpans(rows, attributes, starts, ends + 1, probability)
