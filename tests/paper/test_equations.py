"""The equation that defines each system, against the same written by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from attrex_paper.systems.jave import JAVEHead, disagreement
from attrex_paper.systems.opentag import PairAttention
from attrex_paper.systems.pam import END
from attrex_paper.systems.recurrent import AdditiveAttention, Recurrent, final_state
from attrex_paper.systems.slot_gated import SlotGate
from attrex_paper.systems.words import WordEmbeddings, mean_of_pieces
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from attrex.errors import ConfigError
from attrex.evaluation.placing import places
from attrex.inference.checkpoint import Model
from attrex.inference.extractor import Extractor
from attrex.model.batch import Batch, Inputs, Targets
from attrex.model.crf import CRF
from attrex.types import Product

Build = Callable[..., Model]
MASK = torch.tensor([[True] * 5, [True, True, True, False, False]])


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    torch.manual_seed(0)


def random_inputs(**changes: Tensor) -> Inputs:
    """Two rows: [CLS] and five words, of which the second has two pieces; [CLS] and two words with [SEP] between."""
    inputs = Inputs(
        input_ids=torch.tensor([[2, 10, 11, 12, 13, 14, 15, 3], [2, 20, 3, 21, 3, 0, 0, 0]]),
        token_mask=torch.tensor([[True] * 8, [True] * 5 + [False] * 3]),
        unit_index=torch.tensor([[1, 2, 4, 5, 6], [1, 3, 0, 0, 0]]),
        unit_mask=torch.tensor([[True] * 5, [True, True, False, False, False]]),
    )
    return replace(inputs, **changes)


def targets_of(attributes: int, row: int, attribute: int, tags: list[int]) -> Targets:
    """Two rows with one located value; all other cells are blank."""
    cells = torch.zeros(2, attributes, dtype=torch.uint8)
    cells[row, attribute] = 2
    return Targets(
        cells=cells,
        flat_tags=torch.zeros(2, 5, dtype=torch.long),
        pair_rows=torch.tensor([row]),
        pair_attributes=torch.tensor([attribute]),
        pair_tags=torch.tensor([tags]),
        pair_weights=torch.zeros(1),
        range_targets=torch.zeros(2, attributes),
    )


# ---- what the recurrent systems share -------------------------------------------------------------------------------


def test_a_word_is_the_mean_of_its_pieces_and_a_separator_is_none_of_them():
    words = WordEmbeddings(nn.Embedding(30, 4), torch.tensor([0, 2, 3]))
    found, table = words(random_inputs()), words.pieces.weight
    assert torch.allclose(found[0], torch.stack([table[10], (table[11] + table[12]) / 2, *table[13:16]]))
    assert torch.allclose(found[1, :2], table[20:22])
    assert not found[1, 2:].any()


def test_the_bilstm_is_torchs():
    ours = Recurrent(6, 3, layers=2)
    theirs = nn.LSTM(6, 3, 2, bidirectional=True, batch_first=True)
    order = [0, 1, 3, 2]  # ours: input, forget, output gates, candidate; torch: input, forget, candidate, output
    with torch.no_grad():
        for layer, (projection, lstm) in enumerate(zip(ours.inputs, ours.lstms, strict=True)):
            for way, end in enumerate(("", "_reverse")):
                weight, bias = projection.weight.chunk(2)[way], projection.bias.chunk(2)[way]
                gates = [weight.chunk(4)[i] for i in order]
                getattr(theirs, f"weight_ih_l{layer}{end}").copy_(torch.cat(gates))
                getattr(theirs, f"bias_ih_l{layer}{end}").copy_(torch.cat([bias.chunk(4)[i] for i in order]))
                recurrent = lstm.recurrent[way].t().chunk(4)
                getattr(theirs, f"weight_hh_l{layer}{end}").copy_(torch.cat([recurrent[i] for i in order]))
                getattr(theirs, f"bias_hh_l{layer}{end}").zero_()
    features = torch.randn(2, 5, 6)
    states = ours(features, MASK)
    for row, length in enumerate((5, 3)):
        expected, (last, _) = theirs(features[row : row + 1, :length])
        assert torch.allclose(states[row, :length], expected[0], atol=1e-5)
        assert torch.allclose(final_state(states, MASK)[row], torch.cat([last[2, 0], last[3, 0]]), atol=1e-5)
    assert not states[1, 3:].any()


def test_additive_attention():
    attention, states, queries = AdditiveAttention(4, 3, 6), torch.randn(2, 5, 4), torch.randn(2, 2, 3)
    found = attention(states, queries, MASK)
    for row, length in enumerate((5, 3)):
        for step in range(2):
            scores = [
                attention.score(torch.tanh(attention.key(states[row, i]) + attention.query(queries[row, step])))
                for i in range(length)
            ]
            weights = torch.cat(scores).softmax(0)
            expected = sum(w * h for w, h in zip(weights, states[row, :length], strict=True))
            assert torch.allclose(found[row, step], expected, atol=1e-6)


# ---- taggers of all attributes --------------------------------------------------------------------------------------


def test_opentag_attends_to_all_pairs_by_a_sigmoid():
    attention, states = PairAttention(4), torch.randn(2, 5, 4)
    found = attention(states, MASK)
    for row, length in enumerate((5, 3)):
        for t in range(length):
            expected = torch.zeros(4)
            for other in range(length):
                g = torch.tanh(attention.own(states[row, t]) + attention.other(states[row, other]))
                expected = expected + attention.score(g).sigmoid() * states[row, other]
            assert torch.allclose(found[row, t], expected, atol=1e-6)


def test_rnn_lstm_reads_its_labels_at_an_end_token(build: Build):
    network = build("rnn-lstm").network
    inputs = random_inputs()
    words = network.words(inputs)
    encoded = network.encode(inputs)
    for row, length in enumerate((5, 2)):
        told = torch.cat([words[row, :length], network.end[None]])[None]
        states = network.lstm(told, torch.ones(1, length + 1, dtype=torch.bool))
        assert torch.allclose(encoded.labels[row], network.label(states[0, -1]), atol=1e-5)
        assert torch.allclose(encoded.emissions[row, :length], network.tag(states[0, :-1]), atol=1e-5)


def test_attn_birnn_tags_what_a_step_attends_to_beside_its_state(build: Build):
    network, inputs = build("attn-birnn").network, random_inputs()
    states = network.lstm(network.words(inputs), inputs.unit_mask)
    encoded = network.encode(inputs)
    for row, length in enumerate((5, 2)):
        mask = torch.ones(1, length, dtype=torch.bool)
        own = states[row : row + 1, :length]
        for step in range(length):
            context = network.attention(own, own[:, step : step + 1], mask)[0, 0]
            expected = network.tag(torch.cat([context, own[0, step]]))
            assert torch.allclose(encoded.emissions[row, step], expected, atol=1e-5)
        summary = network.final(final_state(own, mask))
        expected = network.label(network.attention(own, summary[:, None], mask)[0, 0])
        assert torch.allclose(encoded.labels[row], expected, atol=1e-5)


def test_the_slot_gate():
    gate, context, intent = SlotGate(4, 6), torch.randn(2, 5, 4), torch.randn(2, 6)
    found = gate(context, intent)
    for row in range(2):
        for step in range(5):
            inner = torch.tanh(context[row, step] + gate.intent(intent[row]))
            assert torch.allclose(found[row, step], (gate.weight * inner).sum(), atol=1e-6)


@pytest.mark.parametrize("system", ["slot-gated", "slot-gated-intent"])
def test_slot_gated_opens_each_words_context_by_its_gate(build: Build, system: str):
    network, inputs = build(system).network, random_inputs()
    states, mask = network.lstm(network.words(inputs), inputs.unit_mask), inputs.unit_mask
    final = final_state(states, mask)
    about = network.intent_attention(states, final[:, None], mask)[:, 0]
    intent = torch.cat([about, final], -1)
    context = states
    if system == "slot-gated":
        context = network.slot_attention(states, states, mask)
    gated = network.gate(context, intent)[..., None] * context
    encoded = network.encode(inputs)
    assert torch.allclose(encoded.emissions, network.tag(torch.cat([gated, states], -1)), atol=1e-5)
    assert torch.allclose(encoded.labels, network.label(intent), atol=1e-5)


@pytest.mark.parametrize("system", ["joint-bert", "joint-bert-crf", "k-plug"])
def test_taggers_on_bert_read_first_pieces(build: Build, system: str):
    network, inputs = build(system).network, random_inputs()
    last, _ = network.text.encode(network.text.embed(inputs.input_ids), inputs.token_mask)
    head = network.head if system == "k-plug" else network.tag
    encoded = network.encode(inputs)
    for row, starts in enumerate(([1, 2, 4, 5, 6], [1, 3])):
        assert torch.allclose(encoded.emissions[row, : len(starts)], head(last[row, starts]), atol=1e-5)
    if system != "k-plug":
        assert torch.allclose(encoded.labels, network.label(torch.tanh(network.pooler(last[:, 0]))), atol=1e-5)


# ---- JAVE -----------------------------------------------------------------------------------------------------------


def test_m_jave_is_what_its_paper_prints():
    d, attributes = 6, 3
    head = JAVEHead(8, 5, attributes, d, init_std=0.5)
    first, words, regions = torch.randn(1, 8), torch.randn(1, 4, 8), torch.randn(1, 7, 5)
    everything = torch.ones(1, 4, dtype=torch.bool), torch.ones(1, 7, dtype=torch.bool)
    encoded = head(first, words, everything[0], regions, everything[1])

    h, v = words[0], regions[0]
    text, image = head.text_attention, head.image_attention
    u = torch.einsum("id,jd->ij", text.query(h), text.key(h)) / d**0.5 @ text.value(h)
    m = torch.einsum("id,rd->ir", image.query(h), image.key(v)) / d**0.5
    p = image.value(v)
    g = torch.stack([(head.global_word(x) + head.global_image(v.mean(0))).sigmoid() for x in h])
    q = u + g * (m @ p)
    labels = head.label(head.label_words(h.sum(0)) + head.label_states(q.sum(0)) + head.label_first(first[0]))
    a = labels.sigmoid()
    r = torch.stack([(head.regional_attributes(a) + head.regional_image(x)).sigmoid() for x in v])[:, 0]
    tags = head.tag(head.tag_words(h) + head.tag_states(q) + head.tag_labels(a) + (m * r) @ p)

    assert torch.allclose(encoded.labels[0], labels, atol=1e-4)
    assert torch.allclose(encoded.emissions[0], tags, atol=1e-4)
    assert torch.allclose(encoded.region_weights[0], m * r, atol=1e-4)


def test_m_jave_without_a_photo_is_jave():
    photo, plain = JAVEHead(8, 5, 3, 6, init_std=0.5), JAVEHead(8, None, 3, 6, init_std=0.5)
    plain.load_state_dict(photo.state_dict(), strict=False)
    first, words = torch.randn(2, 8), torch.randn(2, 5, 8) * MASK[..., None]
    nothing = torch.randn(2, 7, 5), torch.zeros(2, 7, dtype=torch.bool)
    regions = nothing[0] * nothing[1][..., None]
    one, other = photo(first, words, MASK, regions, nothing[1]), plain(first, words, MASK, None, None)
    assert torch.allclose(one.labels, other.labels, atol=1e-5)
    assert torch.allclose(one.emissions, other.emissions, atol=1e-5)


def test_the_kl_term_of_jave_on_an_example():
    """One attribute, two words: p = 0.8; P(B) at most 0.5, P(I) at most 0.3, so q = 0.4."""
    labels = torch.tensor([[0.8]]).logit()
    probabilities = torch.tensor([[[0.4, 0.5, 0.1], [0.5, 0.2, 0.3], [0.0, 0.1, 0.9]]]).clamp(min=1e-6)
    mask = torch.tensor([[True, True, False]])
    found = disagreement(labels, probabilities.log(), mask)
    assert found.item() == pytest.approx(0.8 * torch.tensor(0.8 / 0.4).log().item(), abs=1e-4)
    assert disagreement(torch.tensor([[0.1]]).logit(), probabilities.log(), mask) < 0  # one-sided


# ---- attributes that are given --------------------------------------------------------------------------------------


def test_suopentag_concatenates_a_copy_scaled_by_the_cosine(build: Build):
    network, inputs = build("suopentag").network, random_inputs()
    states, rows, attributes = network.encode(inputs), torch.tensor([0, 1, 0]), torch.tensor([2, 1, 0])
    emissions = network.emissions(states, rows, attributes)
    weight = torch.cat([network.own.weight, network.compared.weight], 1)
    for number, (row, attribute) in enumerate(zip(rows, attributes, strict=True)):
        name = network.names(attribute[None])
        for step in range(5):
            h = states[row, step]
            guided = torch.cat([h, cosine_similarity(h, name[0], dim=0) * h])
            expected = weight @ guided + network.own.bias
            assert torch.allclose(emissions[number, step], expected, atol=1e-4)


def test_adatag_makes_emissions_and_transitions_from_the_attribute(build: Build):
    network, states = build("adatag").network, torch.randn(1, 5, 32)
    attribute = torch.tensor(1)
    embedding = network.embedding.weight[1]
    made = network.emission(embedding).view(3, 33)
    for step in range(5):
        expected = made[:, :32] @ states[0, step] + made[:, 32]
        assert torch.allclose(network.emissions(states, attribute)[0, step], expected, atol=1e-5)

    mixed, shares = CRF(3), network.mixture(embedding).softmax(-1)
    with torch.no_grad():
        for name in ("start_transitions", "transitions", "end_transitions"):
            parts = [share * getattr(expert, name) for share, expert in zip(shares, network.experts, strict=True)]
            getattr(mixed, name).copy_(sum(parts))
        mixed.forbidden_start.copy_(network.experts[0].forbidden_start)
        mixed.forbidden_transitions.copy_(network.experts[0].forbidden_transitions)
    emissions, tags, mask = torch.randn(2, 5, 3), torch.tensor([[0, 1, 2, 0, 1], [1, 0, 0, 0, 0]]), MASK
    assert torch.allclose(
        network.crf(attribute).nll(emissions, tags, mask), mixed.nll(emissions, tags, mask), atol=1e-3
    )
    assert torch.equal(network.crf(attribute).viterbi(emissions, mask), mixed.viterbi(emissions, mask))


def test_adatag_starts_from_the_words_of_the_name(build: Build):
    model = build("adatag")
    pieces = model.tokenizer(model.schema.names[0], add_special_tokens=False).input_ids
    expected = model.network.text.embeddings.word_embeddings.weight[pieces].mean(0)
    assert torch.allclose(model.network.embedding.weight[0], expected, atol=1e-6)


def test_aveqa_reads_the_name_and_then_the_text(build: Build):
    model = build("aveqa")
    network, inputs = model.network, random_inputs()
    rows, attributes = torch.tensor([0, 1]), torch.tensor([1, 0])
    ids, mask, shift = network.questions(inputs, rows, attributes)
    for number, (row, attribute) in enumerate(((0, 1), (1, 0))):
        name = model.tokenizer(model.schema.names[attribute]).input_ids
        text = inputs.input_ids[row][inputs.token_mask[row]].tolist()
        assert ids[number][mask[number]].tolist() == name + text[1:]
        moved = inputs.unit_index[row] + shift[number]
        units = inputs.unit_mask[row]
        assert ids[number][moved][units].tolist() == inputs.input_ids[row][inputs.unit_index[row]][units].tolist()


def test_aveqa_needs_room_for_the_name(build: Build):
    said = r"system=aveqa reads an attribute's name before each text: text\.max_tokens=128 makes 13\d tokens"
    with pytest.raises(ConfigError, match=rf"{said}, .* reads 128; lower it by \d$"):
        build("aveqa", "text.max_tokens=128")


def test_the_loss_of_aveqa_by_hand(build: Build):
    network = build("aveqa").network
    inputs = random_inputs()
    targets = targets_of(network.attributes, 0, 2, [0, 1, 2, 0, 1])  # two answers: the first is learned
    rows, attributes = torch.tensor([0, 1]), torch.tensor([2, 1])
    answers = network.answers(inputs, rows, attributes)
    losses = network.pair_losses(None, inputs, targets, rows, attributes)

    begin = answers.begin[0].log_softmax(-1)[1]
    h = answers.states[0]
    w = torch.cat([network.end_begin.weight, network.end.weight], 1)[0]
    ends = torch.stack([w @ torch.cat([h[1], h[i]]) for i in range(1, 5)]).log_softmax(-1)
    answerable = answers.answerable.sigmoid().log()[0]
    span = -(begin + ends[1]).item() / 2 - 0.5 * answerable.item()
    assert losses[0].item() == pytest.approx(span, abs=1e-4)  # nothing to distil: the encoder is still its own teacher
    assert losses[1].item() == pytest.approx(-0.5 * (1 - answers.answerable[1].sigmoid()).log().item(), abs=1e-4)


def test_aveqa_is_taught_to_guess_a_masked_value_as_before_its_training(build: Build):
    network = build("aveqa").network
    inputs = random_inputs()
    rows, attributes = torch.tensor([0, 0, 1]), torch.tensor([2, 1, 1])
    starts, ends = (
        torch.tensor([1, 3, 1]),
        torch.tensor([2, 4, 1]),
    )  # of two pieces and one, the last ones, the last one
    asked = (inputs, rows, attributes, starts, ends)
    assert network.distilled(*asked).abs().max() < 1e-6
    with torch.no_grad():
        for parameter in network.text.layers.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    found = network.distilled(*asked)

    ids, mask, shift = network.questions(inputs, rows, attributes)
    teacher = network.teacher[0]
    matrix = teacher.embeddings.word_embeddings.weight
    for pair, tokens in enumerate(([2, 3, 4], [5, 6], [3])):
        at = [token + int(shift[pair]) for token in tokens]
        masked = ids[pair : pair + 1].clone()
        masked[0, at] = network.mask
        p, q = (
            (e.encode(e.embed(masked), mask[pair : pair + 1])[0][0, at] @ matrix.t()).softmax(-1)
            for e in (teacher, network.text)
        )
        expected = (p * (p.log() - q.log())).sum(-1).mean()
        torch.testing.assert_close(found[pair], expected, atol=1e-4, rtol=1e-3)
    assert not any(name.startswith("teacher") for name in network.state_dict())


def test_negative_questions_are_drawn_from_what_has_no_value(build: Build):
    network = build("suopentag", "query.negatives=2").network
    gold = torch.zeros(40, network.attributes, dtype=torch.bool)
    gold[:, 0] = True
    pairs = network._training_pairs(gold)
    assert pairs[:, 0].all()
    assert (pairs.sum(1) == 3).all()
    assert len({tuple(row.tolist()) for row in pairs}) > 1  # drawn anew for every row


def test_a_step_asks_so_many_questions_at_most_those_with_a_value_first(
    build: Build, batch_for: Callable[[Model], Batch], monkeypatch: pytest.MonkeyPatch
):
    model = build("suopentag", "query.max_pairs=3", "query.negatives=4")
    batch = batch_for(model)
    asked: list[tuple[Tensor, Tensor]] = []

    def loss(encoded: Tensor, inputs: Inputs, targets: Targets, rows: Tensor, attributes: Tensor) -> Tensor:
        asked.append((rows, attributes))
        return rows.float()

    monkeypatch.setattr(model.network, "pair_losses", loss)
    assert model.network(**batch.tensors()).pairs == 3
    assert (batch.targets.cells[asked[0]] == 2).all()


def test_where_nothing_is_asked_nothing_is_learned(build: Build, batch_for: Callable[[Model], Batch]):
    model = build("suopentag", "query.negatives=0")
    batch = batch_for(model)
    batch.targets.cells = torch.zeros(4, model.network.attributes, dtype=torch.uint8)
    losses = model.network(**batch.tensors())
    losses.loss.backward()
    assert (losses.loss.item(), losses.pairs) == (0.0, 0)


def test_given_attributes_are_the_only_ones_asked_for(build: Build, batch_for: Callable[[Model], Batch]):
    for system in ("suopentag", "adatag", "aveqa", "opentag"):
        model = build(system)
        batch = batch_for(model)
        wanted = torch.zeros(4, model.network.attributes, dtype=torch.bool)
        wanted[0, 1] = wanted[2, 0] = True
        found = model.network.extract(replace(batch.inputs, attributes=wanted))
        assert {(r, a) for r, a in zip(found.rows.tolist(), found.attributes.tolist(), strict=True)} <= {(0, 1), (2, 0)}
        assert found.pairs == (4 if system == "opentag" else 2)
        assert model.network.extract(replace(batch.inputs, attributes=torch.zeros_like(wanted))).rows.tolist() == []


# ---- RpBERT ---------------------------------------------------------------------------------------------------------


def test_rpbert_scales_the_regions_by_how_far_they_belong(build: Build, batch_for: Callable[[Model], Batch]):
    model = build("rpbert")
    network, batch = model.network, batch_for(model)
    text, (regions, seen) = network.text.embed(batch.inputs.input_ids), network.regions(batch.inputs)
    regions = network.project(regions)
    gate = network.related(batch.inputs, text, regions, seen).softmax(-1)[:, 1]
    states = network.joined(batch.inputs, text, regions * gate[:, None, None], seen)[0]
    units = mean_of_pieces(states[:, : text.shape[1]], batch.inputs, network.words.reserved)
    expected = network.output(network.lstm(torch.cat([units, network.words(batch.inputs)], -1), batch.inputs.unit_mask))
    assert torch.allclose(network.encode(batch.inputs).emissions, expected, atol=1e-5)

    with torch.no_grad():
        network.relation.weight.zero_()
        network.relation.bias.copy_(torch.tensor([100.0, -100.0]))  # never related
    unseen = network.encode(batch.inputs).emissions
    other = replace(batch.inputs, pixels=255 - batch.inputs.pixels)
    assert torch.allclose(network.encode(other).emissions, unseen, atol=1e-5)


def test_rpbert_learns_the_relation_from_its_own_photo_and_anothers(build: Build, batch_for: Callable[[Model], Batch]):
    model = build("rpbert")
    network, batch = model.network, batch_for(model)
    text, (regions, seen) = network.text.embed(batch.inputs.input_ids), network.regions(batch.inputs)
    regions = network.project(regions)
    own = network.related(batch.inputs, text, regions, seen).log_softmax(-1)[:, 1]
    another = network.related(batch.inputs, text, regions[[3, 0, 1, 2]], seen).log_softmax(-1)[:, 0]
    expected = -torch.cat([own, another]).mean()
    assert seen.all()
    assert torch.allclose(network.relation_loss(batch.inputs, text, regions, seen), expected, atol=1e-5)
    alone = replace(batch.inputs, image_index=torch.zeros_like(batch.inputs.image_index))  # all show the same photo
    same, seen = network.regions(alone)
    same = network.project(same)
    related = -network.related(alone, text, same, seen).log_softmax(-1)[:, 1].mean()
    assert torch.allclose(network.relation_loss(alone, text, same, seen), related, atol=1e-5)


# ---- MAE-model ------------------------------------------------------------------------------------------------------


def test_mae_model_answers_from_the_attribute_and_the_greatest_of_words_and_photos(build: Build):
    network = build("mae-model").network
    size = network.settings.image.size
    pixels = torch.randint(0, 256, (3, size, size, 3), dtype=torch.uint8)
    inputs = random_inputs(pixels=pixels, image_index=torch.tensor([[0, 1], [2, -1]]))
    encoded, rows, attributes = network.encode(inputs), torch.tensor([0, 1]), torch.tensor([1, 0])
    answers = network.queries(encoded, rows, attributes)
    words, shown = network.words(inputs), network.encode_images(pixels).mean(1)
    for number, (row, attribute, length, photos) in enumerate(((0, 1, 5, [0, 1]), (1, 0, 2, [2]))):
        told = words[row].t()[None]  # the words beyond the text are zeros, as padding is
        convolved = torch.cat([conv(told)[0] for conv in network.convolutions]).relu()[:, :length]
        text = network.text_own(convolved.amax(1)).relu()
        photo = torch.stack([network.image_own(shown[i]).relu() for i in photos]).amax(0)
        asked = network.attribute.weight[attribute]
        text = network.text_asked(torch.cat([text, asked])).relu()
        photo = network.image_asked(torch.cat([photo, asked])).relu()
        expected = network.answer(network.fused(torch.cat([asked, text, photo])).relu())
        torch.testing.assert_close(answers[number], expected, atol=1e-4, rtol=1e-3)


def test_mae_model_wants_the_right_value_nearer_than_a_wrong_one_by_a_margin(build: Build):
    network = build("mae-model").network
    cosines = torch.tensor([[0.5, 0.2, 0.9]])
    right, own = torch.tensor([0]), torch.tensor([[True, True, False]])
    margin = network._margin(cosines, cosines[:, 0], own, right)
    assert margin.item() == pytest.approx(1 + (1 - 0.5) - (1 - 0.2))
    alone = torch.tensor([[True, False, False]])
    assert network._margin(cosines, cosines[:, 0], alone, right) == 0


def test_mae_model_tells_a_value_of_its_vocabulary(build: Build, titles: list[Product]):
    model = build("mae-model")
    known = {(model.schema.names[a], ids) for a, ids in model.network._vocabulary()}
    words = {
        (s.attribute, tuple(model.tokenizer(s.text, add_special_tokens=False).input_ids))
        for p in titles
        for s in p.spans
    }
    assert known == words
    assert list(places([(5,), (6, 7), (5,), (6,), (7,)], (5, 6, 7))) == [(0, 2), (2, 5)]
    assert list(places([(5, 6), (7,)], (6, 7))) == []  # not within a word
    found = list(Extractor(model, device="cpu").extract(titles[:4]))
    said = {
        (v.attribute, tuple(model.tokenizer(v.value, add_special_tokens=False).input_ids))
        for p in found
        for v in p.values
    }
    assert said
    assert said <= known
    assert not any(p.spans for p in found)


# ---- PAM ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pam(build: Build) -> Model:
    """It knows that attribute 0 has values of the pieces 10 and 11, and attribute 1 of 20."""
    model = build("pam")
    model.network.build_vocabulary([(0, (10, 11)), (0, (11,)), (1, (20,))])
    return model


def test_pam_chooses_among_the_pieces_of_the_attribute_the_end_and_the_words_of_the_text(pam: Model):
    network, inputs = pam.network, random_inputs()
    assert network.longest == 2
    encoded, rows, attributes = network.encode(inputs), torch.tensor([0, 1]), torch.tensor([0, 1])
    before = torch.tensor([[10], [END]])
    ids, log_p = network.choices(encoded, rows, attributes, before)
    special = {i for i in (0, 2, 3) if i in network.reserved.tolist()}
    assert special >= {0, 2, 3}
    for pair, (row, attribute, own) in enumerate(((0, 0, [10, 11]), (1, 1, [20]))):
        length = int(inputs.token_mask[row].sum())
        memory = encoded.states[row][encoded.mask[row]][None]
        steps = torch.stack(
            [network.attribute.weight[attribute], network.written(network._words()(before[pair].clamp(min=0)))[0]]
        )
        steps = steps + network.step.weight[:2]
        for step in range(2):
            unseen = torch.ones(step + 1, step + 1).triu(1).bool()  # no step sees a later one
            z = network.decoder(steps[None, : step + 1], memory, tgt_mask=unseen)[0, -1]
            scores = [network.choose.weight[network.piece_ids.tolist().index(i)] @ z for i in own]
            scores = [
                s + network.choose.bias[network.piece_ids.tolist().index(i)] for s, i in zip(scores, own, strict=True)
            ]
            scores.append(network.choose.weight[-1] @ z + network.choose.bias[-1])
            names = [*own, END]
            for token in range(length):
                if int(inputs.input_ids[row, token]) not in special:
                    h = encoded.states[row, token]
                    scores.append(network.query(z) @ network.key(h) / network.text.width**0.5)
                    names.append(int(inputs.input_ids[row, token]))
            expected = torch.stack(scores).log_softmax(0)
            there = log_p[pair, step].isfinite()
            assert ids[pair][there].tolist() == names
            torch.testing.assert_close(log_p[pair, step][there], expected, atol=1e-4, rtol=1e-3)


def test_pam_sums_over_all_ways_to_the_right_piece(pam: Model):
    """Row 0 has the value of its words 0 and 1, which are also in the vocabulary; row 1 has none."""
    network = pam.network
    inputs, targets = random_inputs(), targets_of(len(pam.schema.names), 0, 0, [1, 0, 0, 0, 0])
    encoded, rows, attributes = network.encode(inputs), torch.tensor([0, 1]), torch.tensor([0, 1])
    ids, log_p = network.choices(encoded, rows, attributes, torch.tensor([[10], [END]]))
    p = log_p.exp()
    first, then = p[0, 0][ids[0] == 10].sum(), p[0, 1][ids[0] == END].sum()
    assert (ids[0] == 10).sum() == 2  # from the vocabulary, and from the text
    nothing = p[1, 0][ids[1] == END].sum()
    expected = torch.stack([-(first.log() + then.log()), -nothing.log()])
    torch.testing.assert_close(
        network.pair_losses(encoded, inputs, targets, rows, attributes), expected, atol=1e-4, rtol=1e-3
    )


def test_pam_writes_the_likeliest_piece_until_the_end(pam: Model, monkeypatch: pytest.MonkeyPatch):
    """Piece 11 is the likeliest only with both its ways together; pair 0 ends at once and is not asked again."""
    network = pam.network
    plan = {0: [[0.1, 0.1, 0.1, 0.7]], 1: [[0.3, 0.25, 0.25, 0.2], [0.1, 0.1, 0.1, 0.7]]}

    def choices(encoded: object, rows: Tensor, attributes: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        step = before.shape[1]
        assert step == 0 or (before == 11).all()
        ids = torch.tensor([[10, 11, 11, END]] * len(rows))
        return ids, torch.tensor([[plan[pair][step]] for pair in rows.tolist()]).log()

    monkeypatch.setattr(network, "choices", choices)
    values, probability = network.answers(None, torch.tensor([0, 1]), torch.tensor([0, 0]))
    assert values == [(), (11,)]
    torch.testing.assert_close(probability, torch.tensor([0.7, 0.5 * 0.7]))
