from __future__ import annotations

import torch

from attrex.model.attribute_range import RangeClassifier, cap_pairs, select


def test_scores_come_from_both_layers_through_an_mlp():
    torch.manual_seed(0)
    classifier = RangeClassifier(6, 4)
    last, before = torch.randn(3, 6), torch.randn(3, 6)
    hidden = torch.relu(torch.cat([last, before], 1) @ classifier.hidden.weight.T + classifier.hidden.bias)
    expected = hidden @ classifier.output.weight.T + classifier.output.bias
    torch.testing.assert_close(classifier(last, before), expected)


def test_the_classifier_starts_at_the_training_frequencies():
    classifier = RangeClassifier(6, 3)
    torch.nn.init.zeros_(classifier.output.weight)
    classifier.init_bias(torch.tensor([0.25, 0.0, 1.0]))
    scores = classifier(torch.randn(1, 6), torch.randn(1, 6)).sigmoid()[0]
    torch.testing.assert_close(scores, torch.tensor([0.25, 1e-4, 1 - 1e-4]))


def test_the_range_is_strictly_above_the_threshold():
    scores = torch.tensor([[0.4, 0.5, 0.6]])
    assert select(scores, 0.5).tolist() == [[False, False, True]]
    assert select(scores, 0.4).tolist() == [[False, True, True]]
    assert not select(torch.tensor([[0.0]]), 0.0).any()


SELECTED = torch.tensor([[True, True, True], [True, False, True]])
GOLD = torch.tensor([[False, False, True], [False, False, False]])
SCORES = torch.tensor([[0.9, 0.2, 0.01], [0.8, 0.99, 0.7]])


def test_a_range_within_the_bound_is_left_as_it_is():
    assert cap_pairs(SELECTED, GOLD, SCORES, 5) is SELECTED


def test_gold_pairs_are_kept_first_then_the_best_scores_and_never_more_than_selected():
    assert cap_pairs(SELECTED, GOLD, SCORES, 1).tolist() == GOLD.tolist()
    assert cap_pairs(SELECTED, GOLD, SCORES, 3).tolist() == [[True, False, True], [True, False, False]]
    assert cap_pairs(SELECTED, GOLD, SCORES, 4).tolist() == [[True, False, True], [True, False, True]]
