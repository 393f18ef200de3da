"""Going on with a text encoder's pretraining: what is hidden, what is learned, and that `text.model` takes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from attrex.config import Config
from attrex.encoding.encoder import ProductEncoder
from attrex.errors import ConfigError, DataError
from attrex.inference.checkpoint import load_tokenizer
from attrex.model.build import pretrained_text
from attrex.shop.schema import Schema
from attrex.training.pretrain import IGNORED, KnownValues, MaskedWords, Masking, Pretrainer, pretrain
from attrex.types import Product, Span

TEXT = "Red suede shoe, light red laces"


def having(config: Config, **changes: dict[str, Any]) -> Config:
    raw = config.model_dump()
    for section, values in changes.items():
        raw[section] |= values
    return Config.parse(raw)


@pytest.fixture
def shoe() -> Product:
    spans = tuple(Span("Color", TEXT.index(t), TEXT.index(t) + len(t), t) for t in ("Red", "light red"))
    return Product("1", {"text": TEXT}, spans=spans)


@pytest.fixture
def encoder(tiny: Config) -> ProductEncoder:
    return ProductEncoder(load_tokenizer(tiny.text.model), tiny, Schema(()))


def test_known_values_are_found_in_any_text_whole_and_longest_first(shoe: Product, encoder: ProductEncoder) -> None:
    values = KnownValues.of([shoe], encoder)
    assert values.number == 2
    other = Product("2", {"title": "a red bag", "text": "light red, not redder"})
    (window,) = encoder.encode(other).windows
    said = [encoder.tokenizer.decode(window.ids[p.start : p.stop]).replace(" ##", "") for p in values.places(window)]
    assert [s.replace("##", "").replace(" ", "") for s in said] == ["red", "lightred"]


def test_known_values_are_found_behind_a_space_by_a_byte_level_tokenizer_too(shoe: Product, tiny: Config) -> None:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}
    trainer = trainers.BpeTrainer(
        vocab_size=350, special_tokens=[*special.values()], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator([f"Red {TEXT} red"] * 9, trainer)
    encoder = ProductEncoder(PreTrainedTokenizerFast(tokenizer_object=backend, **special), tiny, Schema(()))
    values = KnownValues.of([shoe], encoder)
    (window,) = encoder.encode(Product("2", {"text": "Red, Red and light red"})).windows
    pieces = encoder.tokenizer.convert_ids_to_tokens(window.ids)
    assert ["".join(pieces[p.start : p.stop]) for p in values.places(window)] == ["Red", "ĠRed", "ĠlightĠred"]
    assert values.number == 2


def test_known_values_are_hidden_as_a_whole_and_little_else(
    shoe: Product, encoder: ProductEncoder, tiny: Config
) -> None:
    settings = having(tiny, pretraining={"mask": 1e-9, "values": 1.0}).pretraining
    masking = Masking(encoder.tokenizer, settings, KnownValues.of([shoe], encoder))
    (window,) = encoder.encode(shoe).windows
    labels = masking.hide(**masking([window]))[1][0]
    hidden = (labels != IGNORED).nonzero()[:, 0].tolist()
    assert hidden == [i for place in masking.values.places(window) for i in place]
    assert labels[hidden].tolist() == [window.ids[i] for i in hidden]


def test_a_share_of_the_tokens_is_hidden_but_never_a_separator(
    products: list[Product], encoder: ProductEncoder, tiny: Config
) -> None:
    torch.manual_seed(0)
    windows = [w for p in products for w in encoder.encode(p).windows]
    masking = Masking(encoder.tokenizer, tiny.pretraining, KnownValues([]))
    batch = masking(windows)
    ids, labels = masking.hide(**batch)
    original, hidden = batch["input_ids"], labels != IGNORED
    assert torch.equal(labels[hidden], original[hidden])
    assert not torch.isin(original[hidden], masking.special).any()
    assert (ids == original)[~hidden].all()
    words = batch["mask"] & ~torch.isin(original, masking.special)
    assert hidden.sum() / words.sum() == pytest.approx(0.15, abs=0.02)
    shown = ids[hidden] == encoder.tokenizer.mask_token_id
    assert shown.float().mean() == pytest.approx(0.8, abs=0.05)
    assert (ids == original)[hidden].float().mean() == pytest.approx(0.1, abs=0.04)


def test_the_loss_is_cross_entropy_at_the_hidden_tokens_by_the_embeddings(tiny: Config) -> None:
    torch.manual_seed(0)
    model = MaskedWords(pretrained_text(tiny)).eval()
    ids, mask = torch.tensor([[2, 10, 4, 12, 3]]), torch.ones(1, 5, dtype=torch.bool)
    labels = torch.tensor([[IGNORED, IGNORED, 11, 12, IGNORED]])
    found = model(ids, mask, labels)
    states = model.text.encode(model.text.embed(ids), mask)[0][0]
    expected = torch.zeros(())
    for at, word in ((2, 11), (3, 12)):
        told = model.norm(torch.nn.functional.gelu(model.dense(states[at])))
        scores = torch.stack([told @ e for e in model.text.embeddings.word_embeddings.weight]) + model.bias
        expected = expected - scores.log_softmax(-1)[word] / 2
    assert found["loss"].item() == pytest.approx(expected.item(), abs=1e-4)
    assert found["hidden"] == 2
    assert model(ids, mask, torch.full_like(ids, IGNORED))["loss"] == 0  # nothing hidden by chance


@pytest.fixture
def quick(tiny: Config) -> Config:
    return having(tiny, training={"epochs": 4, "learning_rate": 3e-3, "batch_size": 8, "save_every": 3})


def test_it_learns_and_text_model_takes_what_comes_out(products: list[Product], quick: Config, tmp_path: Path) -> None:
    found = pretrain(products[:24], tmp_path, validation=products[24:40], config=quick)
    before, after = found["validation"]["before"], found["validation"]["after"]
    assert after["loss"] < before["loss"]
    assert found["products"] == 24
    assert found["steps"] == 4 * -(-found["windows"] // 8)

    config = having(quick, text={"model": str(tmp_path)})
    new, old = pretrained_text(config), pretrained_text(quick)
    assert new.spec() == old.spec() | {k: v for k, v in new.spec().items() if k in ("architectures", "dtype")}
    name = "layers.0.attention.self.query.weight"
    assert not torch.equal(new.state_dict()[name], old.state_dict()[name])
    assert load_tokenizer(tmp_path).get_vocab() == load_tokenizer(quick.text.model).get_vocab()
    assert not (tmp_path / "checkpoints").exists()

    with pytest.raises(ConfigError, match="holds a finished encoder; choose another directory"):
        pretrain(products[:24], tmp_path, config=quick)
    assert pretrain(products[:24], tmp_path, config=quick, resume=True) == found
    with pytest.raises(ConfigError, match="holds another run: its products are other ones"):
        pretrain(products[:25], tmp_path, config=quick, resume=True)


def test_a_killed_run_goes_on(
    products: list[Product], quick: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain(products[:24], tmp_path / "whole", config=quick)

    original: Callable[..., Any] = Pretrainer.training_step
    seen: list[int] = []

    def dies(self: Pretrainer, *args: Any, **kwargs: Any) -> Any:
        seen.append(1)
        if len(seen) == 6:
            raise KeyboardInterrupt
        return original(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Pretrainer, "training_step", dies)
        with pytest.raises(KeyboardInterrupt):
            pretrain(products[:24], tmp_path / "killed", config=quick)
    pretrain(products[:24], tmp_path / "killed", config=quick, resume=True)
    whole, killed = (
        pretrained_text(having(quick, text={"model": str(tmp_path / name)})).state_dict()
        for name in ("whole", "killed")
    )
    assert all(torch.allclose(whole[name], killed[name], atol=1e-5) for name in whole)


def test_texts_and_tokenizers_that_cannot_be_used(quick: Config, tmp_path: Path, encoder: ProductEncoder) -> None:
    with pytest.raises(DataError, match="none of the 1 products has a text that the tokenizer can read"):
        pretrain([Product("1", {"text": " "})], tmp_path, config=quick)
    encoder.tokenizer.mask_token = None
    with pytest.raises(ConfigError, match="its tokenizer has no mask_token"):
        Masking(encoder.tokenizer, quick.pretraining, KnownValues([]))
