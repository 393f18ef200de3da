"""The facts of the systems that the paper compares with, as Attrex registers them.

Each is an entry point of the group ``attrex.systems`` in pyproject.toml: the name that ``--system`` takes, and where
its facts are. The classes are imported when a system is built, so that listing the systems needs no torch.
"""

from __future__ import annotations

from attrex.systems import SystemInfo

_JAVE = "Zhu 2020"
_GOO = "Goo 2018"
_CHEN = "Chen 2019"
_HERE = "attrex_paper.systems"
_NETWORK = "attrex.model.network:Network"  # single-stream models differ from ULS-VL in their fusion only

OPENTAG = SystemInfo("OpenTag", "Zheng 2018", "CRF", f"{_HERE}.opentag:OpenTag", words=True)
RNN_LSTM = SystemInfo("RNN-LSTM", "Hakkani-Tür 2016", "softmax", f"{_HERE}.rnn_lstm:RNNLSTM", words=True)
ATTN_BIRNN = SystemInfo("Attn-BiRNN", "Liu and Lane 2016", "softmax", f"{_HERE}.attn_birnn:AttnBiRNN", words=True)
SLOT_GATED = SystemInfo("Slot-Gated", _GOO, "softmax", f"{_HERE}.slot_gated:SlotGated", words=True)
SLOT_GATED_INTENT = SystemInfo("Slot-Gated, intent only", _GOO, "softmax", f"{_HERE}.slot_gated:SlotGated", words=True)
JOINT_BERT = SystemInfo("Joint-BERT", _CHEN, "softmax", f"{_HERE}.joint_bert:JointBERT")
JOINT_BERT_CRF = SystemInfo("Joint-BERT + CRF", _CHEN, "CRF", f"{_HERE}.joint_bert:JointBERT")
K_PLUG = SystemInfo("K-PLUG tagger", "Xu 2021", "softmax", f"{_HERE}.joint_bert:KPlug")
SUOPENTAG = SystemInfo(
    "SUOpenTag", "Xu 2019", "CRF per attribute", f"{_HERE}.suopentag:SUOpenTag", attribute_given=True
)
AVEQA = SystemInfo("AVEQA", "Wang 2020", "begin and end", f"{_HERE}.aveqa:AVEQA", attribute_given=True)
ADATAG = SystemInfo("AdaTag", "Yan 2021", "CRF per attribute", f"{_HERE}.adatag:AdaTag", attribute_given=True)
JAVE_LSTM = SystemInfo("JAVE-LSTM", _JAVE, "softmax", f"{_HERE}.jave:JAVE", words=True)
JAVE_BERT = SystemInfo("JAVE-BERT", _JAVE, "softmax", f"{_HERE}.jave:JAVE", fixed=True)
M_JAVE_LSTM = SystemInfo("M-JAVE-LSTM", _JAVE, "softmax", f"{_HERE}.jave:JAVE", photos=True, words=True, fixed=True)
M_JAVE_BERT = SystemInfo("M-JAVE-BERT", _JAVE, "softmax", f"{_HERE}.jave:JAVE", photos=True, fixed=True)
RPBERT = SystemInfo("RpBERT", "Sun 2021", "CRF", f"{_HERE}.rpbert:RpBERT", photos=True)
UNITER = SystemInfo("UNITER", "Chen 2020", "CRF", _NETWORK, photos=True, fusion="uniter")
VILT = SystemInfo(
    "ViLT", "Kim 2021", "CRF", _NETWORK, photos=True, fusion="vilt", settings={"image": {"model": "patches"}}
)
PIXEL_BERT = SystemInfo("Pixel-BERT", "Huang 2020", "CRF", _NETWORK, photos=True, fusion="pixel_bert")
MAE_MODEL = SystemInfo(
    "MAE-model",
    "Logan 2017",
    "closed vocabulary",
    f"{_HERE}.mae_model:MAEModel",
    photos=True,
    attribute_given=True,
    words=True,
    fixed=True,
    settings={"image": {"max_images": 4}},
)
PAM = SystemInfo("PAM", "Lin 2021", "generated", f"{_HERE}.pam:PAM", photos=True, attribute_given=True)
