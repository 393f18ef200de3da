"""Tiny real backbones and a small drawn catalogue, shared by all tests. Nothing is downloaded."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from attrex.config import Config
from attrex.demo.catalogue import DrawnProduct, draw_catalogue
from attrex.shop.schema import Schema
from attrex.types import Product

os.environ.setdefault("OMP_NUM_THREADS", "1")  # models this small wait for their threads most of the time

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


@pytest.fixture(scope="session")
def drawn() -> list[DrawnProduct]:
    """Sixty drawn products with photos of 32 pixels, complete gold spans and a partly filled table."""
    return list(islice(draw_catalogue(60, seed=7, image_size=32), 60))


@pytest.fixture(scope="session")
def products(drawn: list[DrawnProduct]) -> list[Product]:
    return [d.product for d in drawn]


@pytest.fixture(scope="session")
def schema(products: list[Product]) -> Schema:
    return Schema.learn(products)


@pytest.fixture(scope="session")
def tiny_text(tmp_path_factory: pytest.TempPathFactory, products: list[Product]) -> Path:
    """A 2-layer BERT with random weights and a word-piece vocabulary of the drawn texts."""
    from transformers import BertConfig, BertModel, BertTokenizerFast, set_seed

    directory = tmp_path_factory.mktemp("tiny-bert")
    words = Counter(w for p in products for t in p.fields.values() for w in re.findall(r"\w+|[^\w\s]", t.lower()))
    # Rare words are left out, so that they are split into pieces of single characters as rare words are.
    frequent = [w for w, n in sorted(words.items()) if n > 2]
    characters = sorted({c for w in words for c in w} | set("abcdefghijklmnopqrstuvwxyz0123456789-.,%"))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{c}" for c in characters), *frequent]
    (directory / "vocab.txt").write_text("\n".join(dict.fromkeys(vocabulary)), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab=str(directory / "vocab.txt"))
    # As those of sentence encoders come: set to cut and pad every text to one length.
    tokenizer.backend_tokenizer.enable_truncation(128)
    tokenizer.backend_tokenizer.enable_padding(length=128)
    tokenizer.save_pretrained(directory)
    set_seed(0)
    BertModel(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=128, **TINY)).save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def tiny_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ResNet with random weights: 32 pixels give 2 x 2 regions."""
    from transformers import ResNetConfig, ResNetModel, set_seed

    directory = tmp_path_factory.mktemp("tiny-resnet")
    set_seed(0)
    # With fewer than 16 channels the gradient of a strided 1 x 1 convolution writes past its memory where a processor
    # has AVX-512 (oneDNN issue 6035).
    config = ResNetConfig(embedding_size=16, hidden_sizes=[16, 16, 16, 24], depths=[1, 1, 1, 1], layer_type="basic")
    ResNetModel(config).save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def tiny(tiny_text: Path, tiny_image: Path) -> Config:
    """Preset `small` on the tiny backbones: seconds per training run."""
    return Config.load(
        "small",
        [
            f"text.model={tiny_text}",
            "text.max_tokens=96",
            "text.overlap=16",
            f"image.model={tiny_image}",
            "image.size=64",
            "fusion.width=16",
            "decoder.hidden=16",
            "text.split_words=false",  # of few products these three are on otherwise
            "text.category=false",
            "decoder.direct=false",
            "training.batch_size=8",
            "training.precision=fp32",  # the same on every processor
            "training.epochs=1",
            "training.learning_rate=2e-3",
            "training.head_learning_rate=5e-3",
            "training.image_learning_rate=1e-3",
        ],
    )


@pytest.fixture
def growth() -> Callable[[Callable[[int], object], int], float]:
    """How many times as long four times as much takes, by the quickest of three: 4 if linear, 16 if quadratic."""

    def measure(run: Callable[[int], object], size: int) -> float:
        def seconds(n: int) -> float:
            start = process_time()
            run(n)
            return process_time() - start

        return min(seconds(4 * size) for _ in range(3)) / min(seconds(size) for _ in range(3))

    return measure


@pytest.fixture(scope="module")  # Playwright keeps an event loop running in this thread, which others need
def browser() -> Iterator[Any]:
    """The distribution's Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("there is no Chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """An empty page of a person of its own. The test fails where a script does, or where the content policy bites."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    context.set_default_timeout(30_000)
    page, faults = context.new_page(), list[str]()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    context.close()
    assert not faults


@pytest.fixture(scope="session")
def axe() -> Callable[[Any], list[str]]:
    """``axe(page)``: what axe-core finds serious in a page, in both themes, and where it is wider than a phone."""
    found = find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe-playwright-python, which brings axe-core, is not installed")
    script = Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")

    def look(page: Any) -> list[str]:
        page.evaluate(script)
        told = []
        for theme, rules in (("light", None), ("dark", ["color-contrast"])):
            page.emulate_media(color_scheme=theme)
            only = {"runOnly": {"type": "rule", "values": rules}} if rules else {"resultTypes": ["violations"]}
            for fault in page.evaluate("options => axe.run(document, options)", only)["violations"]:
                if fault["impact"] in ("serious", "critical"):
                    told += [f"{theme}: {fault['id']}: {node['html'][:200]}" for node in fault["nodes"]]
        page.set_viewport_size({"width": 390, "height": 844})
        beyond = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return told + ([f"{beyond} pixels beyond a phone"] if beyond > 0 else [])

    return look
