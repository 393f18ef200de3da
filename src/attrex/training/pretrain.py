"""Go on with the text encoder's pretraining on a shop's own texts (K-PLUG's idea, without its data or its size).

Masked language modelling (Devlin et al., 2019) on windows of products, labelled or not: a share of the tokens is hidden
at random, and beyond that whole attribute values that are known from the products with labels, wherever they are said.
What comes out is a directory that `text.model` accepts; the head that guesses the words is left behind.

Shape letters:
    B rows     S tokens     D width     E embedding width     W words of the vocabulary     M hidden tokens
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from transformers import AutoModel, PrinterCallback, ProgressCallback, Trainer, set_seed

from attrex.config import Config, PretrainingConfig
from attrex.encoding.dataset import BucketSampler
from attrex.encoding.encoder import ProductEncoder, Window
from attrex.errors import ConfigError, DataError
from attrex.inference.checkpoint import load_tokenizer
from attrex.inference.directory import read_json
from attrex.io.atomic import write_json
from attrex.model.build import pretrained_text
from attrex.model.text_encoder import TextEncoder, resolve_text_model
from attrex.progress import Progress, note, silent
from attrex.shop.schema import Schema
from attrex.training.progress import ProgressReporter
from attrex.training.resuming import fingerprint, open_run
from attrex.training.trainer import grouped, save_weights, training_arguments
from attrex.types import Product

PRETRAINING_RECORD = "pretraining.json"
IGNORED = -100  # what cross entropy leaves out
KEPT, CHANGED = 0.1, 0.1  # of the tokens that are to be guessed: left as they are, replaced by another word


def pretrain(
    products: Iterable[Product],
    directory: str | Path,
    *,
    validation: Iterable[Product] = (),
    config: Config | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Pretrain `text.model` on the texts of products and write the new encoder; returns what was measured.

    Epochs, rates and batch size are those of the `training` section. With ``resume`` a killed run goes on. Raises
    :class:`DataError` where there is no text, :class:`ConfigError` where the directory is taken.
    """
    directory = Path(directory)
    products, validation = list(products), list(validation)
    config = (config or Config.load()).fitted(len(products))
    record = fingerprint(config, products)
    with open_run(directory, record, resume, finished=PRETRAINING_RECORD, what="encoder") as checkpoint:
        if (directory / PRETRAINING_RECORD).exists():
            note(progress, f"{directory} is finished already: nothing left to do")
            return read_json(directory / PRETRAINING_RECORD)
        set_seed(config.training.seed)
        tokenizer = load_tokenizer(resolve_text_model(config.text.model))
        encoder = ProductEncoder(tokenizer, config, Schema(()))
        values = KnownValues.of(products, encoder)
        windows, unseen = ([*_windows(some, encoder)] for some in (products, validation))
        if not windows:
            raise DataError(f"none of the {len(products)} products has a text that the tokenizer can read")
        masking = Masking(tokenizer, config.pretraining, values)
        model = MaskedWords(pretrained_text(config))
        before = guess_hidden_words(model, unseen, masking, config)
        trainer = Pretrainer(model, config, windows, masking, directory, progress)
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        finally:
            trainer.progress.close()
        found = {
            "text_model": config.text.model,
            "products": len(products),
            "windows": len(windows),
            "known_values": values.number,
            "steps": trainer.state.global_step,
            "validation": {"before": before, "after": guess_hidden_words(model, unseen, masking, config)}
            if unseen
            else None,
        }
        save_encoder(model.text, tokenizer, directory)
        write_json(directory / PRETRAINING_RECORD, found)
        shutil.rmtree(directory / "checkpoints", ignore_errors=True)
        return found


def _windows(products: Iterable[Product], encoder: ProductEncoder) -> Iterator[Window]:
    for product in products:
        if product.error is None:
            yield from encoder.encode(product).windows


# ---- what is hidden -------------------------------------------------------------------------------------------------


class KnownValues:
    """Attribute values as token ids, found again wherever a text says them; ``number`` of them."""

    def __init__(self, values: Iterable[Sequence[int]], number: int | None = None) -> None:
        self.by_first: Mapping[int, list[tuple[int, ...]]] = defaultdict(list)
        for value in sorted({tuple(v) for v in values if v}, key=len, reverse=True):
            self.by_first[value[0]].append(value)
        self.number = sum(map(len, self.by_first.values())) if number is None else number

    @classmethod
    def of(cls, products: Iterable[Product], encoder: ProductEncoder) -> KnownValues:
        """The values that the products' spans say."""
        said = {s.text for p in products if p.error is None for s in p.spans or ()}
        # To a byte-level tokenizer a word behind a space is another one than the same at the beginning of a text.
        texts = (form for text in sorted(said) for form in (text, f" {text}"))
        encoded = (encoder.encode(Product(text, {"text": text})) for text in texts)
        ids = ([i for w in e.windows for u in w.units for i in u.ids] for e in encoded)
        return cls(ids, len(said))

    def places(self, window: Window) -> Iterator[range]:
        """The tokens of each value that a window says, the longest ones, not overlapping."""
        units = zip(window.unit_index, window.units, strict=True)
        ends = {first + len(unit.ids) for first, unit in units}
        at = 0
        for start in window.unit_index:
            if start < at:
                continue
            for value in self.by_first.get(window.ids[start], ()):
                end = start + len(value)
                if end in ends and tuple(window.ids[start:end]) == value:
                    yield range(start, end)
                    at = end
                    break


@dataclass
class Masking:
    """Collates windows, and hides what is to be guessed: random, from torch's generator."""

    tokenizer: Any
    settings: PretrainingConfig
    values: KnownValues

    def __post_init__(self) -> None:
        if self.tokenizer.mask_token_id is None:
            raise ConfigError("text.model: its tokenizer has no mask_token, which pretraining hides words with")
        self.special = torch.tensor(sorted(self.tokenizer.all_special_ids))

    def __call__(self, windows: Sequence[Window]) -> dict[str, Tensor]:
        """``input_ids``, ``mask`` and ``values``, each (B, S): 0 where no value is said, else its number in the row."""
        width = max(len(w.ids) for w in windows)
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([w.ids + [pad] * (width - len(w.ids)) for w in windows])
        values = torch.zeros_like(ids)
        for row, window in enumerate(windows):
            for number, place in enumerate(self.values.places(window), 1):
                values[row, place.start : place.stop] = number
        mask = torch.arange(width) < torch.tensor([len(w.ids) for w in windows])[:, None]
        return {"input_ids": ids, "mask": mask, "values": values}

    def hide(self, input_ids: Tensor, mask: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Ids with tokens hidden, and labels that are :data:`IGNORED` where nothing is; all (B, S).

        Most hidden tokens become [MASK]; some another word, some stay, so that every state has to know its word. Called
        in the training step and not while collating, which runs ahead: a resumed run hides what the killed one would.
        """
        chosen = torch.rand(input_ids.shape, device=input_ids.device) < self.settings.mask
        whole = torch.rand(len(values), int(values.max()) + 1, device=values.device) < self.settings.values
        whole[:, 0] = False
        chosen |= whole.gather(1, values)
        chosen &= mask & ~torch.isin(input_ids, self.special.to(input_ids.device))
        lot = torch.rand(input_ids.shape, device=input_ids.device)
        words = torch.randint(len(self.tokenizer), input_ids.shape, device=input_ids.device)
        hidden = input_ids.masked_fill(chosen & (lot >= KEPT + CHANGED), self.tokenizer.mask_token_id)
        return torch.where(chosen & (lot < CHANGED), words, hidden), input_ids.masked_fill(~chosen, IGNORED)


# ---- the model ------------------------------------------------------------------------------------------------------


class MaskedWords(nn.Module):
    """A text encoder with a head that guesses hidden words, whose output matrix is that of the word embeddings."""

    def __init__(self, text: TextEncoder) -> None:
        super().__init__()
        self.text = text
        embeddings: nn.Embedding = text.embeddings.word_embeddings  # type: ignore[assignment]
        self.dense = nn.Linear(text.width, embeddings.embedding_dim)
        self.norm = nn.LayerNorm(embeddings.embedding_dim)
        self.bias = nn.Parameter(torch.zeros(embeddings.num_embeddings))

    def forward(self, input_ids: Tensor, mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Mean ``loss`` over the hidden tokens, and how many were guessed ``right``; input_ids, mask, labels (B, S)."""
        states, _ = self.text.encode(self.text.embed(input_ids), mask)
        hidden = labels != IGNORED
        told = self.norm(F.gelu(self.dense(states[hidden])))  # (M, E): only where it matters
        logits = F.linear(told, self.text.embeddings.word_embeddings.weight, self.bias)  # type: ignore[union-attr, arg-type]
        truth = labels[hidden]
        loss = F.cross_entropy(logits.float(), truth, reduction="sum") / max(1, len(truth))
        return {"loss": loss, "right": (logits.argmax(-1) == truth).sum(), "hidden": hidden.sum()}


class Pretrainer(Trainer):
    """The Hugging Face Trainer on windows; resumable at every `training.save_every` steps, or every tenth of them."""

    optimizer: torch.optim.Optimizer | None

    def __init__(
        self,
        model: MaskedWords,
        config: Config,
        windows: Sequence[Window],
        masking: Masking,
        directory: Path,
        progress: Progress,
    ) -> None:
        self.config, self.progress = config, ProgressReporter(progress)
        arguments = training_arguments(config.training, directory, [])
        arguments.save_steps, arguments.save_total_limit = config.training.save_every or 0.1, 1
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=_Windows(windows),
            data_collator=masking,
            callbacks=[self.progress],
        )
        for callback in (PrinterCallback, ProgressCallback):
            self.remove_callback(callback)

    def get_train_dataloader(self) -> DataLoader:
        settings = self.config.training
        lengths = [len(w.ids) for w in self.train_dataset.windows]
        sampler = BucketSampler(lengths, settings.batch_size, settings.seed)
        loader = DataLoader(self.train_dataset, batch_sampler=sampler, collate_fn=self.data_collator)
        return self.accelerator.prepare(loader)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            settings = self.config.training
            parameters = ((p, settings.learning_rate) for p in self.model.parameters())
            self.optimizer = torch.optim.AdamW(
                grouped(parameters, settings.weight_decay),
                lr=settings.learning_rate,
                betas=(0.9, settings.adam_beta2),
            )
        return self.optimizer

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        save_weights(self.model, Path(output_dir or self.args.output_dir), state_dict)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        hidden, labels = self.data_collator.hide(**inputs)
        found = model(hidden, inputs["mask"], labels)
        return (found["loss"], found) if return_outputs else found["loss"]


class _Windows(torch.utils.data.Dataset[Window]):
    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = windows

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Window:
        return self.windows[index]


@torch.no_grad()
def guess_hidden_words(
    model: MaskedWords, windows: Sequence[Window], masking: Masking, config: Config
) -> dict[str, float]:
    """Loss and accuracy at hidden tokens; the same ones are hidden whenever it is called."""
    state, training = torch.get_rng_state(), model.training
    torch.manual_seed(config.training.seed)
    device = next(model.parameters()).device
    loss = right = guessed = 0.0
    model.eval()
    for start in range(0, len(windows), config.training.eval_batch_size):
        batch = masking(windows[start : start + config.training.eval_batch_size])
        hidden, labels = (x.to(device) for x in masking.hide(**batch))
        found = model(hidden, batch["mask"].to(device), labels)
        loss += found["loss"].item() * found["hidden"].item()
        right += found["right"].item()
        guessed += found["hidden"].item()
    model.train(training)
    torch.set_rng_state(state)
    return {"loss": loss / max(1.0, guessed), "accuracy": right / max(1.0, guessed)}


def save_encoder(text: TextEncoder, tokenizer: Any, directory: Path) -> None:
    """Write an encoder and its tokenizer as a directory that `text.model` accepts."""
    backbone = AutoModel.from_config(text.hf_config, dtype=torch.float32, trust_remote_code=False)
    backbone.embeddings.load_state_dict(text.embeddings.state_dict())
    backbone.encoder.layer.load_state_dict(text.layers.state_dict())
    if text.project is not None:
        backbone.embeddings_project.load_state_dict(text.project.state_dict())
    backbone.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
