"""A model directory from anywhere: nothing in it runs, asks, connects, or makes another model be looked for."""

from __future__ import annotations

import builtins
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from attrex.errors import AttrexError, CheckpointError, ConfigError
from attrex.inference.checkpoint import _saved_tokenizer, load_model, load_tokenizer
from attrex.inference.directory import model_shop
from attrex.io.images import ImageTransform
from attrex.model.described import IMAGE_TYPES, TEXT_TYPES, read_description
from attrex.model.image_encoder import build_image_encoder
from attrex.model.text_encoder import TextEncoder

MARKER = "ran.marker"
PAYLOAD = (
    f"import pathlib; pathlib.Path({MARKER!r}).write_text('ran')\nclass Evil: pass\nEvilTokenizer = EvilModel = Evil\n"
)
_watched: list[tuple[str, Any]] | None = None


def _watch(event: str, arguments: Any) -> None:
    if _watched is not None and event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.exec"):
        _watched.append((event, arguments))


@pytest.fixture(scope="session")
def hook() -> None:
    sys.addaudithook(_watch)  # for good: it cannot be taken off


@pytest.fixture
def events(hook: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """Connections and processes of the test; whoever asks gets a yes, and code would leave a marker."""
    global _watched  # noqa: PLW0603
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(builtins, "input", lambda *_: "y")
    _watched = []
    yield _watched
    _watched = None
    assert not list(tmp_path.rglob(MARKER))


@pytest.fixture(scope="module")
def saved(choosing: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return choosing().save(tmp_path_factory.mktemp("model") / "shop")


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "model"
    shutil.copytree(saved, copy)
    for place in (copy, copy / "tokenizer"):
        (place / "evil.py").write_text(PAYLOAD)
    return copy


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(change(content) or content))


AUTO = {
    "AutoTokenizer": ["evil.EvilTokenizer", "evil.EvilTokenizer"],
    "AutoConfig": "evil.Evil",
    "AutoModel": "evil.EvilModel",
}


def test_an_honest_directory_is_read_without_a_connection(model: Path, events: list) -> None:
    load_model(model)
    assert events == []


@pytest.mark.parametrize(
    "trick",
    [
        {"auto_map": AUTO},
        {"auto_map": {"AutoTokenizer": "owner/repo--evil.EvilTokenizer"}},
        {"auto_map": ["evil.EvilTokenizer", None]},
        {"tokenizer_class": "evil.EvilTokenizer"},
        {"tokenizer_class": "../evil"},
        {"tokenizer_class": "LlamaTokenizer", "name_or_path": "owner/repo", "_name_or_path": "owner/repo"},
        {"chat_template": "{{ ''.__class__.__mro__[1].__subclasses__() }}"},
        {"backend": "evil", "fast_tokenizer_files": ["/etc/passwd"]},
    ],
)
def test_what_a_tokenizer_asks_for_is_not_done(model: Path, events: list, trick: dict[str, Any]) -> None:
    edit(model / "tokenizer" / "tokenizer_config.json", lambda content: content | trick)
    (model / "tokenizer" / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": AUTO}))
    _saved_tokenizer(model / "tokenizer")
    assert events == []


@pytest.mark.parametrize(
    "trick",
    [
        "owner/model",
        "hub.invalid/model",
        "/etc",
        {"model_type": "evil"},
        {"model_type": "timm_wrapper", "architecture": "resnet18"},
        {"auto_map": AUTO},
        {"_attn_implementation": "owner/kernel"},
        {"attn_implementation": "owner/kernel"},
        {"_attn_implementation_internal": "owner/kernel"},
        {"_experts_implementation_internal": "owner/kernel"},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        {"backbone": "owner/model", "use_pretrained_backbone": True},
        {"_name_or_path": "owner/model"},
        {"name_or_path": "owner/model"},
        {"hidden_act": "owner/kernel"},
        {"hidden_act": ["../x"]},
        {"hidden_size": 10**9, "hidden_sizes": [10**9]},
        {"num_hidden_layers": 10**6, "depths": [10**6] * 4},
        {"num_hidden_layers": 10**3, "depths": [10**2] * 10},
        {"hidden_size": 2**20, "hidden_sizes": [2**20] * 4},
        {"vocab_size": True, "depths": "four"},
        {"hidden_size": -5, "hidden_sizes": [-1, 0, 0, 0]},
        [],
        5,
    ],
)
def test_a_description_names_no_code_no_kernel_and_no_other_model(
    tiny_text: Path, tiny_image: Path, events: list, trick: Any
) -> None:
    spec = json.loads((tiny_text / "config.json").read_text())
    config = json.loads((tiny_image / "config.json").read_text())
    image = {"kind": "hf", "config": config | trick} if isinstance(trick, dict) else None
    for build in (
        lambda: TextEncoder.from_config(spec | trick if isinstance(trick, dict) else trick, most=10**6),
        lambda: build_image_encoder(image or {"kind": "hf", "config": trick}, most=10**6),
    ):
        try:
            build()
        except ConfigError as exc:
            assert len(str(exc)) < 2000  # noqa: PT017 (some keys are of one of the two only)
        else:
            assert set(trick) & {"hidden_act", "hidden_size", "vocab_size", "num_hidden_layers"}
    assert events == []


@pytest.mark.parametrize("trick", ["owner/model", "efficientnet-lite0", ["a"]])
def test_a_saved_model_never_names_its_image_encoder(model: Path, events: list, trick: Any) -> None:
    edit(model / "architecture.json", lambda content: content | {"image": trick})
    with pytest.raises(CheckpointError, match="image encoder should be an object that describes it"):
        load_model(model)
    assert events == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", "system: evil:Evil"),
        ("config.yaml", "fusion: {kind: 'evil:Evil'}"),
        ("config.yaml", "!!python/object/apply:os.system ['touch ran.marker']"),
        ("config.yaml", "text: &a [*a]"),
        ("config.yaml", "a: " + "[" * 100_000),
        ("shop.yaml", "!!python/object/apply:os.system ['touch ran.marker']"),
        ("shop.yaml", "columns: " + "{a: " * 5000),
        ("thresholds.json", '{"range": true}'),
        ("thresholds.json", '{"range": NaN}'),
        ("thresholds.json", "[" * 100_000),
        ("thresholds.json", '{"range": 0.5, "x": ' + "1" * 5000 + "}"),
        ("normalizer.json", "{" * 10),
        ("normalizer.json", '{"format": ' + "[" * 100_000),
        ("calibration.json", "[" * 100_000),
        ("calibration.json", "[]"),
        ("tokenizer/tokenizer.json", "{}"),
        ("tokenizer/tokenizer.json", "[" * 100_000),
        ("tokenizer/tokenizer_config.json", "{}"),
        ("tokenizer/tokenizer_config.json", '{"cls_token": 5}'),
        ("architecture.json", "[" * 100_000),
        ("architecture.json", '{"options": "abc"}'),
        ("attrex.json", '{"format": ' + "9" * 5000 + "}"),
        ("model.safetensors", "\x80\x04\x95cos\nsystem\n(S'touch ran.marker'\ntR."),
    ],
)
def test_damaged_and_hostile_files_are_one_error(model: Path, events: list, name: str, content: str) -> None:
    (model / name).write_text(content, encoding="latin-1")
    with pytest.raises(CheckpointError) as found:
        load_model(model)
    assert str(model) in str(found.value)
    assert len(str(found.value)) < 3000
    assert events == []


@pytest.mark.parametrize(
    "change",
    [{"size": 10**9}, {"max_pixels": 10**12}, {"mean": "abc"}, {"mean": [0, 0, "0"]}, {"std": [float("nan")] * 3}],
)
def test_how_photos_are_prepared_is_bounded(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="image transform: "):
        ImageTransform.from_json({"size": 64, "mean": [0, 0, 0], "std": [1, 1, 1]} | change)


def test_no_text_encoder_is_looked_for_because_of_an_edited_option(model: Path, events: list) -> None:
    config = (model / "config.yaml").read_text()
    shop = (model / "shop.yaml").read_text()
    (model / "config.yaml").write_text(
        "\n".join("  model: owner/evil" if line.startswith("  model:") else line for line in config.splitlines())
    )
    edit(model / "architecture.json", lambda c: c | {"options": [[*o[:-1], "gone"] if o else o for o in c["options"]]})
    with pytest.raises(CheckpointError, match="none is fetched because a model names it"):
        load_model(model)
    assert (model / "shop.yaml").read_text() == shop
    assert events == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
@pytest.mark.parametrize("name", ["config.yaml", "tokenizer/tokenizer.json", "shop.yaml", "model.safetensors"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(model: Path, name: str) -> None:
    (model / name).unlink()
    os.mkfifo(model / name)
    with pytest.raises(CheckpointError, match=f"{name} missing"):
        load_model(model)


def test_a_directory_is_offline_and_a_name_of_the_hub_is_the_user_s(model: Path, events: list) -> None:
    (model / "shop.yaml").unlink()
    with pytest.raises(AttrexError, match=r"no shop file|missing"):
        model_shop(model)
    assert events == []


def test_a_text_or_image_model_that_the_user_names_runs_no_code_either(
    tiny_text: Path, tiny_image: Path, tmp_path: Path, events: list
) -> None:
    for source, load in (
        (tiny_text, lambda d: TextEncoder.pretrained(str(d), hidden_dropout=0.1, attention_dropout=0.1)),
        (tiny_text, load_tokenizer),
        (tiny_image, lambda d: build_image_encoder(str(d))),
    ):
        for number, trick in enumerate(
            ({"auto_map": AUTO}, {"_attn_implementation": "owner/kernel"}, {"attn_implementation": "owner/kernel"})
        ):
            copy = tmp_path / f"{source.name}-{number}-{load.__name__}"
            shutil.copytree(source, copy, dirs_exist_ok=True)
            (copy / "evil.py").write_text(PAYLOAD)
            for name in ("config.json", "tokenizer_config.json"):
                if (copy / name).exists():
                    edit(copy / name, lambda content, trick=trick: content | trick)
            with suppress(ConfigError):  # refused, or read without what it asks for
                load(copy)
    assert events == []


def test_an_own_description_is_taken_and_keys_that_nobody_reads_are_left_out() -> None:
    config = read_description(
        {"model_type": "bert", "hidden_size": 32, "num_attention_heads": 4, "nobody_reads": "x" * 1000},
        TEXT_TYPES,
        "text encoder",
    )
    assert config.hidden_size == 32
    assert not hasattr(config, "nobody_reads")
    with pytest.raises(ConfigError, match="'bertt'; did you mean 'bert'"):
        read_description({"model_type": "bertt"}, TEXT_TYPES, "text encoder")
    assert not set(TEXT_TYPES) & set(IMAGE_TYPES)
