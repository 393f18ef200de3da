"""The tools a shop could use instead, as fast as they go here: products per second over the same texts.

How fast they are does not depend on what their last layers have learned, so none of them is trained: taggers say O
nearly everywhere, as trained ones do. Each is imported when it is measured; one that is not installed is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import torch

from attrex.model.text_encoder import resolve_text_model
from attrex.tools.benchmark import has_bf16

MAX_TOKENS = 160  # as preset `small`


def pipeline(texts: list[str], attributes: list[str], batch_size: int) -> float:
    """`transformers.pipeline("token-classification")`, as its documentation shows it."""
    from transformers import pipeline as make

    network, tokenizer = _tagger(attributes)
    tagger = make("token-classification", network, tokenizer=tokenizer, aggregation_strategy="simple", device="cpu")
    return _rate(texts, lambda part: tagger(part, batch_size=batch_size))


def loop(texts: list[str], attributes: list[str], precision: str) -> float:
    """The same network by hand, texts sorted by length, no post-processing: the bare encoder's own rate."""
    network, tokenizer = _tagger(attributes)

    def run(part: list[str]) -> None:
        encoded = tokenizer(part, truncation=True, max_length=MAX_TOKENS)["input_ids"]
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            for at in range(0, len(order), 32):
                batch = tokenizer.pad({"input_ids": [encoded[i] for i in order[at : at + 32]]}, return_tensors="pt")
                network(**batch).logits.argmax(-1).tolist()

    return _rate(texts, run)


def spacy(texts: list[str], attributes: list[str], processes: int) -> float:
    """spaCy's named entities, the pipeline that its quickstart calls efficient."""
    import spacy as library
    from spacy.training import Example

    tagger = library.blank("en")
    entities = tagger.add_pipe("ner")
    for name in attributes:
        entities.add_label(name)  # type: ignore[attr-defined]
    tagger.initialize(lambda: [Example.from_dict(tagger.make_doc(text), {"entities": []}) for text in texts[:50]])
    return _rate(texts, lambda part: list(tagger.pipe(part, batch_size=64, n_process=processes)))


def gliner(texts: list[str], attributes: list[str], batch_size: int) -> float:
    """GLiNER with the same encoder, asked for the names of the attributes."""
    from gliner import GLiNER, GLiNERConfig

    source = resolve_text_model("minilm-l6")
    network = GLiNER.from_config(GLiNERConfig(model_name=source, hidden_size=384, max_len=256, span_mode="markerV0"))
    network.eval()
    return _rate(texts, lambda part: network.inference(part, attributes, threshold=0.999, batch_size=batch_size))


PEERS: dict[str, list[tuple[Callable[[list[str], list[str], Any], float], Any]]] = {
    "stock pipeline": [(pipeline, 1), (pipeline, 8), (pipeline, 32)],
    "hand-batched loop": [(loop, "fp32"), *([(loop, "bf16")] if has_bf16() else [])],
    "spaCy": [(spacy, 1), (spacy, 2)],
    "GLiNER": [(gliner, 8)],
}
"""Each peer's variants: the best of them is the peer."""


def _tagger(attributes: Iterable[str]) -> tuple[Any, Any]:
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    source = resolve_text_model("minilm-l6")
    labels = ["O", *(f"{tag}-{name}" for name in attributes for tag in "BI")]
    network = AutoModelForTokenClassification.from_pretrained(source, num_labels=len(labels)).eval()
    network.config.id2label = dict(enumerate(labels))
    with torch.no_grad():  # a trained tagger says O nearly everywhere; a random one would find a value in every word
        network.classifier.bias[0] = 100
    return network, AutoTokenizer.from_pretrained(source, model_max_length=MAX_TOKENS)


def _rate(texts: list[str], run: Callable[[list[str]], Any]) -> float:
    run(texts[:8])
    started = time.perf_counter()
    run(texts)
    return len(texts) / (time.perf_counter() - started)
