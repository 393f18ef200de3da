"""The systems that can be trained, as facts: what each is called, where it was published, and what it needs.

:mod:`attrex_paper.systems.build` composes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

SystemName = Literal[
    "uls-dram",
    "opentag",
    "rnn-lstm",
    "attn-birnn",
    "slot-gated",
    "slot-gated-intent",
    "joint-bert",
    "joint-bert-crf",
    "k-plug",
    "suopentag",
    "aveqa",
    "adatag",
    "jave-lstm",
    "jave-bert",
    "m-jave-lstm",
    "m-jave-bert",
    "rpbert",
    "uniter",
    "vilt",
    "pixel-bert",
    "mae-model",
    "pam",
]


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """What one system is."""

    title: str  #: as its paper calls it
    paper: str  #: first author and year
    decodes: str  #: what gives the values
    photos: bool = False
    attribute_given: bool = False  #: told which attribute to look for; asked for all of them where nobody says
    words: bool = False  #: reads word embeddings of its own in place of a text encoder
    fixed: bool = False  #: published with frozen encoders
    fusion: str | None = None  #: a form of ULS-VL, with this `fusion.kind`
    settings: dict[str, Any] = field(default_factory=dict)  #: what else goes with it

    @property
    def reads(self) -> str:
        """What it reads texts and photos by."""
        text = "words" if self.words else "text encoder"
        photos = " + photos" if self.photos else ""
        return text + photos + (", frozen" if self.fixed else "")

    def implied(self) -> dict[str, Any]:
        """The settings that choosing this system in place of ULS-DRAM brings with it, by section."""
        # What is not labelled is absent to all of them.
        tagged = {"unknown": "negative"} | ({} if self.attribute_given else {"kind": "none"})
        out: dict[str, Any] = {"fusion": {"kind": self.fusion or "none"}, "range": tagged}
        if not self.fusion:
            out["decoder"] = {"hidden": None}  # the sizes of its own paper
        if not self.photos:
            out["image"] = {"model": None}
        if self.fixed:
            out["training"] = {"scheme": "fixed"}
        return out | self.settings


_JAVE = "Zhu 2020"
_GOO = "Goo 2018"
_CHEN = "Chen 2019"

SYSTEMS: dict[str, SystemInfo] = {
    "uls-dram": SystemInfo("ULS-DRAM", "Liu 2022", "CRF per attribute", photos=True),
    "opentag": SystemInfo("OpenTag", "Zheng 2018", "CRF", words=True),
    "rnn-lstm": SystemInfo("RNN-LSTM", "Hakkani-Tür 2016", "softmax", words=True),
    "attn-birnn": SystemInfo("Attn-BiRNN", "Liu and Lane 2016", "softmax", words=True),
    "slot-gated": SystemInfo("Slot-Gated", _GOO, "softmax", words=True),
    "slot-gated-intent": SystemInfo("Slot-Gated, intent only", _GOO, "softmax", words=True),
    "joint-bert": SystemInfo("Joint-BERT", _CHEN, "softmax"),
    "joint-bert-crf": SystemInfo("Joint-BERT + CRF", _CHEN, "CRF"),
    "k-plug": SystemInfo("K-PLUG tagger", "Xu 2021", "softmax"),
    "suopentag": SystemInfo("SUOpenTag", "Xu 2019", "CRF per attribute", attribute_given=True),
    "aveqa": SystemInfo("AVEQA", "Wang 2020", "begin and end", attribute_given=True),
    "adatag": SystemInfo("AdaTag", "Yan 2021", "CRF per attribute", attribute_given=True),
    "jave-lstm": SystemInfo("JAVE-LSTM", _JAVE, "softmax", words=True),
    "jave-bert": SystemInfo("JAVE-BERT", _JAVE, "softmax", fixed=True),
    "m-jave-lstm": SystemInfo("M-JAVE-LSTM", _JAVE, "softmax", photos=True, words=True, fixed=True),
    "m-jave-bert": SystemInfo("M-JAVE-BERT", _JAVE, "softmax", photos=True, fixed=True),
    "rpbert": SystemInfo("RpBERT", "Sun 2021", "CRF", photos=True),
    "uniter": SystemInfo("UNITER", "Chen 2020", "CRF", photos=True, fusion="uniter"),
    "vilt": SystemInfo(
        "ViLT",
        "Kim 2021",
        "CRF",
        photos=True,
        fusion="vilt",
        settings={"image": {"model": "patches"}},
    ),
    "pixel-bert": SystemInfo("Pixel-BERT", "Huang 2020", "CRF", photos=True, fusion="pixel_bert"),
    "mae-model": SystemInfo(
        "MAE-model",
        "Logan 2017",
        "closed vocabulary",
        photos=True,
        attribute_given=True,
        words=True,
        fixed=True,
        settings={"image": {"max_images": 4}},
    ),
    "pam": SystemInfo("PAM", "Lin 2021", "generated", photos=True, attribute_given=True),
}
"""Every system by the name that chooses it."""
