"""A graph's matrix products in 8 bits, such that what a row gives depends on that row alone.

onnxruntime's dynamic quantisation takes one scale for all that is multiplied at once, so that the largest number of any
product in a batch decides how finely the others are rounded. Here each row, the state of one token, is rounded by a
scale of its own: alone, among others and with padding behind it a product gives the same.

The weights have 7 of the 8 bits, with a scale for each output channel: processors without VNNI add two products of 8
bits in 16, which 8-bit weights overflow. So every processor gives the same integers.

Shape letters:
    N rows     K, M width of a product's inputs and outputs
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from attrex.inference.fused import MICROSOFT

WEIGHT_LEVELS, INPUT_LEVELS = 63, 127
"""Steps on either side of zero."""
ZERO = 128
"""The zero of the rounded inputs, which are unsigned: what processors multiply fastest."""
LEAST = 1e-12
"""The least scale: of a row of zeros."""


def quantise(path: Path) -> None:
    """Rewrite a graph's products with constant weights, those of fused attentions among them."""
    import onnx

    model = onnx.load(path)
    _Rewriter(model.graph).rewrite()
    if MICROSOFT not in {opset.domain for opset in model.opset_import}:
        model.opset_import.append(onnx.helper.make_opsetid(MICROSOFT, 1))
    onnx.save(model, path)


def quantised_weights(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (K, M) rounded per output channel: (K, M) int8, and scales (M,)."""
    scales = (np.maximum(np.abs(weights).max(0), LEAST) / WEIGHT_LEVELS).astype(np.float32)
    return np.round(weights / scales).astype(np.int8), scales


class _Rewriter:
    """Makes the nodes of a graph anew; each tensor is rounded once, whatever multiplies it."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.weights = {i.name: i for i in graph.initializer}
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.rounded: dict[str, tuple[str, str]] = {}  #: tensor -> in 8 bits, and its rows' scales

    def rewrite(self) -> None:
        for node in self.graph.node:
            if node.op_type == "MatMul" and self._is_matrix(node.input[1]):
                self._product(node.input[0], node.input[1], node.output[0])
            elif node.domain == MICROSOFT and node.op_type == "Attention":
                self._attention(node)
            else:
                self.nodes.append(node)
        used = {name for node in self.nodes for name in node.input}
        kept = [i for i in self.graph.initializer if i.name in used]
        for own, new in ((self.graph.node, self.nodes), (self.graph.initializer, [*kept, *self.constants.values()])):
            del own[:]
            own.extend(new)

    def _is_matrix(self, name: str) -> bool:
        return name in self.weights and len(self.weights[name].dims) == 2

    def _product(self, source: str, weights: str, out: str) -> None:
        """``out`` = source (..., K) @ weights (K, M)."""
        from onnx.numpy_helper import to_array

        integers, scales = quantised_weights(to_array(self.weights[weights]))
        rounded, row_scales = self._rounded(source, integers.shape[0])
        inputs = [
            rounded,
            self._constant(f"{weights}/int8", integers),
            self._constant("attrex/one", np.float32(1)),
            self._constant(f"{weights}/scales", scales),
            self._constant("attrex/zero", np.uint8(ZERO)),
        ]
        by_channel = self._add("MatMulIntegerToFloat", inputs, f"{out}/by_channel", domain=MICROSOFT)
        self._add("Mul", [by_channel, row_scales], out)

    def _rounded(self, source: str, width: int) -> tuple[str, str]:
        """A tensor (..., K) in 8 bits, and the scales (..., 1) of its rows."""
        from onnx import TensorProto
        from onnx.helper import make_tensor

        if source not in self.rounded:
            size = self._add("Abs", [source], f"{source}/size")
            largest = self._add(
                "ReduceMax", [size, self._constant("attrex/last", np.array([-1]))], f"{source}/largest", keepdims=1
            )
            positive = self._add("Max", [largest, self._constant("attrex/least", np.float32(LEAST))], f"{source}/pos")
            scales = self._add(
                "Div", [positive, self._constant("attrex/levels", np.float32(INPUT_LEVELS))], f"{source}/scales"
            )
            # One scale a row is one an element of the first axis of (N, K), which `QuantizeLinear` takes.
            rows = self._constant(f"attrex/rows_{width}", np.array([-1, width]))
            rows = self._add("Reshape", [source, rows], f"{source}/rows")
            by_row = self._add("Reshape", [scales, self._constant("attrex/flat", np.array([-1]))], f"{source}/by_row")
            count = self._add("Shape", [by_row], f"{source}/count")
            zeros = self._add(
                "ConstantOfShape", [count], f"{source}/zeros", value=make_tensor("zero", TensorProto.UINT8, [1], [ZERO])
            )
            integers = self._add("QuantizeLinear", [rows, by_row, zeros], f"{source}/integers", axis=0)
            shape = self._add("Shape", [source], f"{source}/shape")
            self.rounded[source] = self._add("Reshape", [integers, shape], f"{source}/rounded"), scales
        return self.rounded[source]

    def _attention(self, node: Any) -> None:
        """Projections in 8 bits, and the attention itself as it was: its operator takes no scale a row."""
        source, weights, bias, mask = node.input
        given = {a.name: a for a in node.attribute}
        out = node.output[0]
        projected = f"{out}/projected"
        self._product(source, weights, projected)
        parts = [f"{out}/{part}" for part in ("query", "key", "value")]
        self._add("Split", [projected], *parts, axis=-1, num_outputs=3)
        self._add(
            "MultiHeadAttention",
            [*parts, bias, mask],
            out,
            domain=MICROSOFT,
            num_heads=given["num_heads"].i,
            mask_filter_value=given["mask_filter_value"].f,
        )

    def _constant(self, name: str, content: Any) -> str:
        from onnx.numpy_helper import from_array

        if name not in self.constants:
            self.constants[name] = from_array(np.ascontiguousarray(content).reshape(np.shape(content)), name)
        return name

    def _add(self, kind: str, inputs: list[str], *outputs: str, domain: str = "", **attributes: Any) -> str:
        from onnx.helper import make_node

        self.nodes.append(make_node(kind, inputs, [*outputs], name=f"{outputs[0]}/{kind}", domain=domain, **attributes))
        return outputs[0]
