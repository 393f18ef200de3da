from __future__ import annotations

from pathlib import Path

import pytest

from attrex.config import Config, presets
from attrex.errors import ConfigError
from attrex.systems import known_systems, system_info


def fault_of(*overrides: str, preset: str | Path = "small") -> str:
    with pytest.raises(ConfigError) as caught:
        Config.load(preset, overrides)
    return str(caught.value)


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


# ---- presets and files ----------------------------------------------------------------------------------------------


def test_all_presets_load_and_come_back_from_their_yaml(write):
    assert {"mae", "mepave", "multilingual", "small"} <= set(presets())
    for name in presets():
        config = Config.load(name)
        assert config.preset == name
        assert Config.load(write(config.to_yaml())) == config


def test_a_file_changes_what_it_names_and_takes_the_rest_from_its_base(write):
    config = Config.load(write("base: mepave\ntext: {max_tokens: 64}\n", "short.yaml"))
    base = Config.load("mepave")
    assert config.text.max_tokens == 64
    assert config.text.units == base.text.units == "char"
    assert config.training == base.training
    assert config.preset == "short"


def test_bases_may_be_files(write):
    write("training: {epochs: 3}\n", "below.yaml")
    above = write(f"base: {write('training: {epochs: 3, seed: 5}', 'below.yaml')}\ntraining: {{epochs: 9}}\n")
    config = Config.load(above)
    assert (config.training.epochs, config.training.seed) == (9, 5)


def test_a_base_is_looked_for_beside_the_file_that_names_it(write):
    write("training: {epochs: 3}\n", "below.yaml")
    assert Config.load(write("base: below.yaml\n")).training.epochs == 3


def test_a_file_cannot_be_its_own_base(write):
    path = write("base: mine.yaml\n")
    assert fault_of(preset=path) == f"{path} is its own base: {path} -> {path}"


def test_a_file_that_is_not_text(tmp_path: Path):
    (tmp_path / "photo.yaml").write_bytes(b"\xff\xd8\xff")
    assert "photo.yaml is not YAML: " in fault_of(preset=tmp_path / "photo.yaml")


def test_a_section_in_place_of_a_value(write):
    said = fault_of(preset=write("base: small\npreset: {a: 1}\n"))
    assert "preset: Input should be a valid string, got {'a': 1}" in said


def test_an_empty_file_is_the_defaults(write):
    assert Config.load(write("", "empty.yaml")) == Config(preset="empty")


def test_an_unknown_preset_comes_with_the_nearest_one():
    said = fault_of(preset="mepav")
    assert said.startswith("no preset or file 'mepav'; presets: mae, mepave, multilingual, small")
    assert said.endswith("did you mean 'mepave'?")


def test_a_file_that_is_not_yaml(write):
    path = write("text: [\n")
    assert fault_of(preset=path).startswith(f"{path} is not YAML: ")


def test_a_file_without_sections(write):
    said = fault_of(preset=write("- text\n"))
    assert said.endswith("should hold sections such as `text:` and `training:`, it holds a list")


# ---- overrides ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "section", "key", "expected"),
    [
        ("training.epochs=2", "training", "epochs", 2),
        ("training.learning_rate=3e-5", "training", "learning_rate", 3e-5),
        ("fusion.softmax=true", "fusion", "softmax", True),
        ("decoder.hidden=null", "decoder", "hidden", None),
        ("text.model=dir/with=sign", "text", "model", "dir/with=sign"),
        ("text.model=[odd", "text", "model", "[odd"),
        ("image.mean=[0.5, 0.4, 0.3]", "image", "mean", (0.5, 0.4, 0.3)),
    ],
)
def test_overrides_are_read_as_a_person_means_them(item: str, section: str, key: str, expected: object):
    assert getattr(getattr(Config.load("small", [item]), section), key) == expected


def test_the_last_override_wins():
    assert Config.load("small", ["training.seed=1", "training.seed=2"]).training.seed == 2


@pytest.mark.parametrize("item", ["training.epochs", "=3", "training.=3"])
def test_an_override_needs_a_key_and_a_value(item: str):
    assert fault_of(item) == f"--set takes section.key=value, e.g. training.epochs=2; got {item!r}"


def test_a_value_has_no_keys():
    assert fault_of("preset.x=3") == "'preset.x=3': preset is a value, not a section"
    assert "'training.epochs.x=3': epochs is a value, not a section" in fault_of("training.epochs.x=3", "nothing")


# ---- faults ---------------------------------------------------------------------------------------------------------


def test_unknown_keys_come_with_the_nearest_known_one():
    said = fault_of("training.epoch=3", "txt.model=a", "guidance.sort=bert")
    assert "unknown key training.epoch; did you mean 'epochs'? (known: scheme, text_layers" in said
    assert "unknown key txt; did you mean 'text'? (known: preset, system, text, image" in said
    assert "unknown key guidance.sort (known: kind)" in said


def test_every_wrong_value_is_reported_at_once_with_what_came():
    said = fault_of("range.threshold=2", "range.kind=maybe", "range.tune_threshold=7", "text.max_tokens=4")
    assert said.startswith("the configuration has faults:\n  - ")
    assert said.count("\n  - ") == 4
    assert "range.threshold: Input should be less than 1, got 2" in said
    assert "range.kind: Input should be 'none' or 'predicted', got 'maybe'" in said
    assert "range.tune_threshold: Input should be a valid boolean" in said
    assert "text.max_tokens: Input should be greater than or equal to 8, got 4" in said


def test_faults_of_the_value_head_are_reported_as_all_others():
    said = fault_of("values.had=true", "values.threshold=1", "values.alone_weight=-0.1", "values.head=maybe")
    assert "unknown key values.had; did you mean 'head'? (known: head, threshold, loss_weight, blank_weight" in said
    assert "values.threshold: Input should be less than 1, got 1" in said
    assert "values.alone_weight: Input should be greater than or equal to 0, got -0.1" in said
    assert "values.head: Input should be a valid boolean" in said


def test_numbers_are_finite():
    said = fault_of("training.learning_rate=inf", "training.epochs=nan")
    assert said.count("Input should be a finite number") == 2


def test_heads_must_divide_the_width():
    assert "fusion.heads=3 must divide fusion.width=200" in fault_of("fusion.heads=3")


def test_fusion_needs_an_image_model():
    for kind in ("tir", "concat", "concat_attention"):
        said = fault_of("image.model=null", f"fusion.kind={kind}")
        assert f"fusion.kind={kind} needs photos but image.model is null; set fusion.kind=none for a text-only" in said


def test_an_image_model_needs_fusion():
    said = fault_of("fusion.kind=none")
    assert "image.model=efficientnet-lite0 would never be used with fusion.kind=none; set image.model=null" in said


def test_a_teacher_cannot_be_sure_and_unsure_at_once():
    said = fault_of("training.teacher_low=0.9", "training.teacher_high=0.5")
    assert "training.teacher_low=0.9 must be under training.teacher_high=0.5" in said


def test_windows_must_get_on():
    assert "text.overlap=40 must be under half of text.max_tokens=80" in fault_of(
        "text.overlap=40", "text.max_tokens=80"
    )


def test_all_combinations_that_make_no_sense_are_reported_at_once():
    said = fault_of("image.model=null", "text.overlap=90", "training.teacher_low=0.95")
    assert all(words in said for words in ("needs photos", "must be under half", "must be under training.teacher_high"))


def test_a_configuration_cannot_be_changed_behind_a_models_back():
    with pytest.raises(ValueError, match="frozen"):
        Config().text.model = "other"


# ---- names ----------------------------------------------------------------------------------------------------------

NO_PHOTOS = ["fusion.kind=none", "image.model=null"]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ([], "ULS-DRAM"),
        (["range.kind=none"], "ULS-TIR"),
        (["range.kind=none", *NO_PHOTOS], "ULS-L"),
        (["range.kind=none", "fusion.kind=concat"], "ULS-VL"),
        (["range.kind=none", "fusion.kind=concat_attention"], "ULS-VL-SelfAttn"),
        (["range.kind=none", "training.scheme=fixed", *NO_PHOTOS], "Fixed-L"),
        (["training.scheme=partial"], "Partial-DRAM"),
        (NO_PHOTOS, "ULS-L+PAR"),
        (["guidance.kind=dynet"], "ULS-TIR+DyNet-AR"),
        (["guidance.kind=bert", "fusion.kind=concat"], "ULS-VL+BERT-AR"),
    ],
)
def test_systems_have_the_papers_names(settings: list[str], name: str):
    assert Config.load("small", settings).system_name == name


# ---- other systems --------------------------------------------------------------------------------------------------


def test_every_name_that_is_accepted_is_described():
    infos = [system_info(name) for name in known_systems()]
    assert len(infos) == 22
    assert all(info.title and info.paper and info.decodes and info.code for info in infos)


def test_a_system_brings_the_settings_that_go_with_it(write):
    opentag = Config.load("small", ["system=opentag"])
    assert (opentag.image.model, opentag.fusion.kind, opentag.range.kind) == (None, "none", "none")
    assert Config.load("small", ["system=m-jave-bert"]).training.scheme == "fixed"
    assert Config.load("small", ["system=m-jave-bert"]).image.model == "efficientnet-lite0"
    assert Config.load("small", ["system=vilt"]).image.model == "patches"
    assert Config.load("small", ["system=suopentag"]).range.kind == "predicted"
    assert Config.load("small", ["system=suopentag"]).decoder.hidden is None
    assert Config.load("small").values.head
    assert not any(Config.load("small", [f"system={name}"]).values.head for name in ("opentag", "vilt", "suopentag"))
    assert Config.load("small", ["system=uls-dram"]) == Config.load("small")
    assert Config.load(write("base: small\nsystem: opentag\n")).image.model is None
    assert Config.load(write("system: opentag\n")).image.model is None
    assert Config.load(write(opentag.to_yaml())) == opentag.model_copy(update={"preset": "small"})


def test_what_stands_beside_a_system_may_change_its_settings(write):
    uls = write("base: small\nsystem: m-jave-bert\ntraining: {scheme: uls}\n")
    assert Config.load(uls).training.scheme == "uls"
    for settings in (["system=jave-bert", "training.scheme=partial"], ["training.scheme=partial", "system=jave-bert"]):
        assert Config.load("small", settings).training.scheme == "partial"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["system=opentag", "image.model=patches"], "system=opentag reads no photos; set image.model=null instead of"),
        (["system=rpbert", "image.model=null"], "system=rpbert needs photos but image.model is null; name an image"),
        (["system=rpbert", "fusion.kind=tir"], "system=rpbert has a fusion of its own; set fusion.kind=none, not tir"),
        (["system=uniter", "fusion.kind=vilt"], "system=uniter has a fusion of its own; set fusion.kind=uniter, not"),
        (["system=opentag", "range.kind=predicted"], "system=opentag predicts no range that S_thr limits; set range"),
        (["system=open-tag"], "system: no system 'open-tag'; did you mean 'opentag'?"),
        (["system=OpenTag"], "no system 'OpenTag'; did you mean 'opentag'?"),
        (["range.unknown=mask"], "got 'mask'; did you mean 'masked'?"),
    ],
)
def test_settings_that_do_not_fit_a_system(settings: list[str], words: str):
    assert words in fault_of(*settings)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (["system=opentag"], "OpenTag"),
        (["system=m-jave-bert"], "M-JAVE-BERT"),
        (["system=m-jave-bert", "training.scheme=uls"], "ULS-M-JAVE-BERT"),
        (["system=jave-lstm", "training.scheme=fixed"], "JAVE-LSTM"),
        (["system=joint-bert", "training.scheme=fixed"], "Fixed-Joint-BERT"),
        (["system=uniter"], "UNITER"),
        (["fusion.kind=uniter", "range.kind=none"], "ULS-VL-UNITER"),
    ],
)
def test_other_systems_have_their_own_names(settings: list[str], name: str):
    assert Config.load("small", settings).system_name == name


def test_other_systems_cannot_leave_open_what_is_unknown() -> None:
    said = fault_of("system=suopentag", "range.unknown=masked")
    assert (
        "system=suopentag takes what is not labelled for absent; set range.unknown=negative, or train uls-dram" in said
    )


def test_few_products_are_gone_through_more_often_where_nobody_says_how_often() -> None:
    config = Config.load("small")
    assert config.fitted(8164).training.epochs == 3  # 1,531 steps of 16
    assert config.fitted(1280).training.epochs == 10
    assert config.fitted(0).training.epochs == 800
    assert Config.load("small", ["training.epochs=2"]).fitted(1280).training.epochs == 2


def test_what_helps_with_few_products_is_done_with_few_where_nobody_says_otherwise() -> None:
    def chosen(config: Config, products: int) -> tuple[bool | None, ...]:
        fitted = config.fitted(products)
        return fitted.text.split_words, fitted.text.category, fitted.decoder.direct

    config = Config.load("small")
    assert chosen(config, 4266) == (True, True, True)  # three passes are 799.9 steps
    assert chosen(config, 4267) == (False, False, False)
    assert chosen(Config.load("small", ["text.category=false", "decoder.direct=true"]), 9000) == (False, False, True)
    assert chosen(Config.load("small", ["text.category=false"]), 100) == (True, False, True)
    assert chosen(Config(), 100) == (False, False, False)  # what models say that were trained before
