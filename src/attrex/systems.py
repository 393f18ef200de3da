"""The systems that can be trained, as facts: what each is called, where it was published, and what it needs.

:mod:`attrex.baselines.build` composes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

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
]


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """What one system is."""

    title: str  #: as its paper calls it
    paper: str
    decides: str  #: how it comes to values
    photos: bool = False
    attribute_given: bool = False  #: told which attribute to look for; asked for all of them where nobody says
    words: bool = False  #: reads word embeddings of its own in place of a text encoder
    fixed: bool = False  #: published with frozen encoders
    fusion: str | None = None  #: a form of ULS-VL, with this `fusion.kind`
    settings: dict[str, Any] = field(default_factory=dict)  #: what else goes with it

    @property
    def needs(self) -> str:
        """What a person has to know before choosing it."""
        encoders = "word embeddings" if self.words else "text encoder"
        photos = " + image encoder" if self.photos else ""
        return encoders + photos + (", published frozen" if self.fixed else "")

    def implied(self) -> dict[str, Any]:
        """The settings that choosing this system brings with it, by section."""
        if self.title == "ULS-DRAM":
            return {}
        flat = {"kind": "none"} if not self.attribute_given else {}
        out: dict[str, Any] = {"fusion": {"kind": self.fusion or "none"}, "range": flat}
        if not self.photos:
            out["image"] = {"model": None}
        if self.fixed:
            out["training"] = {"scheme": "fixed"}
        return out | self.settings


_JAVE = "Zhu et al., 2020"
_GOO = "Goo et al., 2018"
_CHEN = "Chen et al., 2019"

SYSTEMS: dict[str, SystemInfo] = {
    "uls-dram": SystemInfo("ULS-DRAM", "Liu et al., 2022", "attribute range, then a CRF per attribute", photos=True),
    "opentag": SystemInfo("OpenTag", "Zheng et al., 2018", "CRF over all attributes", words=True),
    "rnn-lstm": SystemInfo("RNN-LSTM", "Hakkani-Tür et al., 2016", "softmax over all attributes", words=True),
    "attn-birnn": SystemInfo("Attn-BiRNN", "Liu and Lane, 2016", "softmax over all attributes", words=True),
    "slot-gated": SystemInfo("Slot-Gated", _GOO, "softmax over all attributes", words=True),
    "slot-gated-intent": SystemInfo("Slot-Gated (intent only)", _GOO, "softmax over all attributes", words=True),
    "joint-bert": SystemInfo("Joint-BERT", _CHEN, "softmax over all attributes"),
    "joint-bert-crf": SystemInfo("Joint-BERT + CRF", _CHEN, "CRF over all attributes"),
    "k-plug": SystemInfo("K-PLUG (tagger)", "Xu et al., 2021", "softmax over all attributes"),
    "suopentag": SystemInfo("SUOpenTag", "Xu et al., 2019", "CRF for the attribute asked for", attribute_given=True),
    "aveqa": SystemInfo("AVEQA", "Wang et al., 2020", "span for the attribute asked for", attribute_given=True),
    "adatag": SystemInfo("AdaTag", "Yan et al., 2021", "CRF made for the attribute asked for", attribute_given=True),
    "jave-lstm": SystemInfo("JAVE (LSTM)", _JAVE, "softmax over all attributes", words=True),
    "jave-bert": SystemInfo("JAVE (BERT)", _JAVE, "softmax over all attributes", fixed=True),
    "m-jave-lstm": SystemInfo(
        "M-JAVE (LSTM)", _JAVE, "softmax over all attributes", photos=True, words=True, fixed=True
    ),
    "m-jave-bert": SystemInfo("M-JAVE (BERT)", _JAVE, "softmax over all attributes", photos=True, fixed=True),
    "rpbert": SystemInfo("RpBERT", "Sun et al., 2021", "CRF over all attributes", photos=True),
    "uniter": SystemInfo("UNITER", "Chen et al., 2020", "CRF over all attributes", photos=True, fusion="uniter"),
    "vilt": SystemInfo(
        "ViLT",
        "Kim et al., 2021",
        "CRF over all attributes",
        photos=True,
        fusion="vilt",
        settings={"image": {"model": "patches"}},
    ),
    "pixel-bert": SystemInfo(
        "Pixel-BERT", "Huang et al., 2020", "CRF over all attributes", photos=True, fusion="pixel_bert"
    ),
    "mae-model": SystemInfo(
        "MAE-model",
        "Logan et al., 2017",
        "best value of a closed vocabulary",
        photos=True,
        attribute_given=True,
        words=True,
        fixed=True,
        settings={"image": {"max_images": 4}},
    ),
}
"""Every system by the name that chooses it."""

assert set(SYSTEMS) == set(get_args(SystemName))
