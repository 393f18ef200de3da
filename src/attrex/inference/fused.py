"""Two operators of an export that torch has no single one for: the attention of a layer, and the decoder's recurrence.

Traced, each becomes one node: onnxruntime's own `Attention`, whose product it can do in 8 bits, and a `Scan`, whose
steps are a few vectorised products (ONNX's `LSTM` takes its input projections inside, and several times as long).

Shape letters:
    B rows     L positions     D width     U units     N pairs     H units per direction
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attrex.model.text_encoder import TextEncoder

MICROSOFT = "com.microsoft"
RECURRENCE = "attrex::Recurrence"
"""What stands in a traced graph until :func:`put_scans` puts a `Scan` in its place."""


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, mask: Tensor, heads: int) -> Tensor:
        """hidden (B, L, D), weight (D, 3D), bias (3D,), mask (B, L) int, 0: hidden -> (B, L, D)."""
        query, key, value = (
            x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (hidden @ weight + bias).chunk(3, -1)
        )
        found = F.scaled_dot_product_attention(query, key, value, mask[:, None, None].bool())
        return found.transpose(1, 2).flatten(2)

    @staticmethod
    def symbolic(g: Any, hidden: Any, weight: Any, bias: Any, mask: Any, heads: int) -> Any:
        found = g.op(f"{MICROSOFT}::Attention", hidden, weight, bias, mask, num_heads_i=heads, mask_filter_value_f=-1e9)
        found.setType(hidden.type())
        return found


class FusedLayer(nn.Module):
    """A layer of a BERT-like encoder whose three projections and attention are one operator.

    Raises AttributeError for a layer that is not built like BERT's.
    """

    def __init__(self, layer: nn.Module, heads: int) -> None:
        super().__init__()
        self.layer, self.heads = layer, heads
        attention: Any = layer.attention.self  # type: ignore[union-attr]
        parts = (attention.query, attention.key, attention.value)
        self.weight = nn.Parameter(torch.cat([p.weight for p in parts]).t().contiguous())
        self.bias = nn.Parameter(torch.cat([p.bias for p in parts]))

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """hidden (B, L, D), mask (B, L) int -> (B, L, D)."""
        layer: Any = self.layer
        found = _Attention.apply(hidden, self.weight, self.bias, mask, self.heads)
        attended = layer.attention.output(found, hidden)
        return layer.output(layer.intermediate(attended), attended)


class FusedEncoder(nn.Module):
    """A :class:`attrex.model.text_encoder.TextEncoder` of fused layers."""

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        heads = encoder.hf_config.num_attention_heads
        self.layers = nn.ModuleList(FusedLayer(layer, heads) for layer in encoder.layers)
        self.embed, self.region_attention = encoder.embed, encoder.region_attention

    def encode(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`TextEncoder.encode`: (B, L, D), mask (B, L) -> the last states and those before."""
        before, seen = hidden, mask.to(torch.int32)
        for layer in self.layers:
            before, hidden = hidden, layer(hidden, seen)
        return hidden, before


def fused_encoder(encoder: TextEncoder) -> TextEncoder | FusedEncoder:
    """The encoder with fused layers, or as it is where its layers turn out to do something else than BERT's."""
    try:
        fused = FusedEncoder(encoder).eval()
    except AttributeError:
        return encoder
    hidden = torch.randn(2, 5, encoder.width, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    pairs = zip(fused.encode(hidden, mask), encoder.encode(hidden, mask), strict=True)
    return fused if all(torch.allclose(a[mask], b[mask], atol=1e-4) for a, b in pairs) else encoder


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, start: Tensor, own: Tensor, guided: Tensor, scale: Tensor, rows: Tensor, recurrent: Tensor
    ) -> Tensor:
        hidden = cell = start
        states = []
        for mine, theirs, much in zip(own, guided, scale, strict=True):
            gates = mine[:, rows] + much * theirs[:, rows] + hidden @ recurrent
            entry, keep, emit = gates[..., : 3 * hidden.shape[-1]].sigmoid().chunk(3, -1)
            cell = keep * cell + entry * gates[..., 3 * hidden.shape[-1] :].tanh()
            hidden = emit * cell.tanh()
            states.append(hidden)
        return torch.stack(states)

    @staticmethod
    def symbolic(g: Any, *inputs: Any) -> Any:
        states = g.op(RECURRENCE, *inputs)
        states.setType(inputs[1].type().with_sizes([None, 2, None, None]))
        return states


def recurrence(own: Tensor, guided: Tensor, scale: Tensor, rows: Tensor, recurrent: Tensor) -> Tensor:
    """As :class:`attrex.model.decoder.BiLSTM`, over the steps ``own[rows] + scale * guided[rows]``.

    own and guided (U, 2, B, 4H), scale (U, 2, N, 1), rows (N,), recurrent (2, H, 4H) -> states (U, 2, N, H).
    """
    start = own.new_zeros(2, rows.shape[0], recurrent.shape[1])
    return _Recurrence.apply(start, own, guided, scale, rows, recurrent)


def put_scans(model: Any) -> None:
    """Replace the placeholders in a traced onnx.ModelProto by `Scan` nodes."""
    domain, kind = RECURRENCE.split("::")
    for node in model.graph.node:
        if (node.domain, node.op_type) == (domain, kind):
            node.CopyFrom(_scan(node))
    kept = [opset for opset in model.opset_import if opset.domain != domain]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _scan(placeholder: Any) -> Any:
    """Both directions of an LSTM, step by step; rows are spread to pairs inside, where they are still in the cache."""
    from onnx import TensorProto, helper

    start, own, guided, scale, rows, recurrent = placeholder.input
    node = helper.make_node
    steps = [
        node("Gather", ["mine", rows], ["mine_spread"], axis=1),
        node("Gather", ["theirs", rows], ["theirs_spread"], axis=1),
        node("Mul", ["theirs_spread", "much"], ["guiding"]),
        node("Add", ["mine_spread", "guiding"], ["projected"]),
        node("MatMul", ["hidden", recurrent], ["recalled"]),
        node("Add", ["projected", "recalled"], ["gates"]),
        node("Split", ["gates"], ["i", "f", "o", "g"], axis=-1, num_outputs=4),
        node("Sigmoid", ["i"], ["entry"]),
        node("Sigmoid", ["f"], ["keep"]),
        node("Sigmoid", ["o"], ["emit"]),
        node("Tanh", ["g"], ["candidate"]),
        node("Mul", ["keep", "cell"], ["kept"]),
        node("Mul", ["entry", "candidate"], ["entered"]),
        node("Add", ["kept", "entered"], ["next_cell"]),
        node("Tanh", ["next_cell"], ["shown"]),
        node("Mul", ["emit", "shown"], ["next_hidden"]),
        node("Identity", ["next_hidden"], ["state"]),
    ]

    def values(*names: str) -> list[Any]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]

    body = helper.make_graph(
        steps,
        "step",
        values("hidden", "cell", "mine", "theirs", "much"),
        values("next_hidden", "next_cell", "state"),
    )
    return node(
        "Scan",
        [start, start, own, guided, scale],
        ["last_hidden", "last_cell", placeholder.output[0]],
        body=body,
        num_scan_inputs=3,
    )
