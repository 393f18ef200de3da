"""A trained model as ONNX graphs, which onnxruntime runs without torch (read by :mod:`.onnx_engine`).

The CRF stays outside of the graphs. int8: the weights of the text encoder's matrix products are stored in 8 bits, their
inputs are rounded to 8 bits as they come (:mod:`.quantise`); photos, decoder and embeddings stay as they are.

Shape letters:
    B rows     S tokens     U units     D width     C attributes     R regions     V region width     N pairs
    H units per direction
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from attrex.errors import ConfigError
from attrex.inference.checkpoint import Model
from attrex.inference.decoding import Transitions
from attrex.inference.fused import MICROSOFT, fused_encoder, put_scans, recurrence
from attrex.inference.onnx_engine import EXPORT_FORMAT
from attrex.inference.onnx_values import OPTIONS_FILE, VALUES_FILE
from attrex.inference.quantise import quantise
from attrex.inference.selection import CALIBRATION_FILE
from attrex.io.atomic import write_json, write_text
from attrex.model.batch import Inputs
from attrex.model.decoder import both_ways, reorder, reversal
from attrex.model.guidance import EPSILON, VectorGuidance
from attrex.model.network import Network
from attrex.model.value_head import ValueHead
from attrex.shop.shop import SHOP_FILE
from attrex.vocabulary.normalizer import NORMALIZER_FILE

OPSET = 18


def write_export(model: Model, directory: Path, *, int8: bool = False) -> Path:
    """Write the graphs and all that extraction needs beside them.

    ``directory`` must be new. Raises :class:`ConfigError` for a model that cannot be
    exported, or where the packages are missing.
    """
    network = _exportable(model).eval().cpu()
    directory.mkdir(parents=True)
    grid = (0, 0)
    with torch.no_grad(), _quiet():
        _export_text(network, directory / "text.onnx")
        _export_decoder(network, directory / "decoder.onnx")
        if network.image is not None and model.transform is not None:
            grid = network.image.grid(model.transform.size)
            _export_image(network, model.transform.size, directory / "image.onnx")
        if network.values is not None:
            _export_values(network, network.values, directory)
    if int8:
        quantise(directory / "text.onnx")
    (directory / "tokenizer").mkdir()
    model.tokenizer.backend_tokenizer.save(str(directory / "tokenizer" / "tokenizer.json"))
    write_text(directory / "config.yaml", model.config.to_yaml())
    write_text(directory / SHOP_FILE, model.shop.to_yaml())
    write_json(directory / "thresholds.json", model.thresholds)
    write_json(directory / "metrics.json", model.metrics)
    write_json(directory / NORMALIZER_FILE, model.normalizer.to_json())
    if model.calibration is not None:
        write_json(directory / CALIBRATION_FILE, model.calibration.to_json())
    write_json(directory / "image.json", model.transform.to_json() if model.transform else {})
    names = ("cls_token_id", "sep_token_id", "pad_token_id", "unk_token_id", "all_special_ids")
    write_json(
        directory / "export.json",
        {
            "format": EXPORT_FORMAT,
            "system": model.config.system_name,
            "weights": "int8" if int8 else "fp32",
            **({"scales": "token"} if int8 else {}),
            "regions": list(grid),
            "region_width": network.image.width if network.image is not None else 0,
            "special_tokens": {name: getattr(model.tokenizer, name) for name in names},
            "crf": _transitions(network).to_json(),
        },
    )
    return directory


def _exportable(model: Model) -> Network:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        raise ConfigError(
            "an export is made with onnx and onnxruntime; install them: pip install 'attrex[onnx]'"
        ) from None
    if not isinstance(model.network, Network):
        raise ConfigError(f"only ULS-DRAM and its variants are exported, not {model.config.system}; run it with torch")
    if model.network.guidance is not None and not isinstance(model.network.guidance, VectorGuidance):
        raise ConfigError(
            f"guidance.kind={model.config.guidance.kind} has no vector per attribute, which a graph could hold; "
            "run it with torch"
        )
    if model.config.fusion.kind == "concat_attention":
        raise ConfigError("fusion.kind=concat_attention cannot be traced for any size of batch; run it with torch")
    return model.network


class _Text(nn.Module):
    """Tokens and regions -> features, range logits, region weights and what a value head asks, where there is one."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = copy(network)  # with other layers, but the same weights
        self.network._modules = network._modules | {"text": fused_encoder(network.text)}

    def forward(
        self,
        input_ids: Tensor,
        token_mask: Tensor,
        unit_index: Tensor,
        regions: Tensor | None = None,
        region_mask: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        inputs = Inputs(input_ids, token_mask, unit_index, torch.ones_like(unit_index, dtype=torch.bool))
        encoded = self.network.encode_text(inputs, regions, region_mask, region_weights=True)
        found = encoded.features, encoded.range_logits, encoded.region_weights, encoded.state, encoded.value_logits
        return tuple(x for x in found if x is not None)


class _Image(nn.Module):
    """Photos (M, H, W, 3) uint8 -> regions (M, r, V)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network.encode_images(pixels)


class _Decoder(nn.Module):
    """Eq. 8, BiLSTM and emissions of pairs, or of rows for the flat tagger; Eq. 8 by its algebra, as in torch."""

    vectors: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.decoder = network.decoder
        vectors = torch.zeros(0, 0)
        if isinstance(network.guidance, VectorGuidance):
            chunks = torch.arange(network.attributes).split(1024)
            vectors = normalize(torch.cat([network.guidance.vectors(c) for c in chunks]), dim=-1, eps=EPSILON)
        self.register_buffer("vectors", vectors)
        self.direct = network.direct

    def forward(
        self, features: Tensor, unit_mask: Tensor, rows: Tensor | None = None, attributes: Tensor | None = None
    ) -> Tensor:
        decoder, order = self.decoder, reversal(unit_mask)
        own = both_ways(decoder.own(features), order)
        if decoder.guided is not None and rows is not None and attributes is not None:
            guided = both_ways(decoder.guided(features), order)
            directions = normalize(features, dim=-1, eps=EPSILON)
            order = order[rows]
            scale = (directions[rows] * self.vectors[attributes][:, None]).sum(-1, keepdim=True)  # (N, U, 1)
            scale = both_ways(scale.expand(-1, -1, 2), order)
        else:
            rows = torch.arange(features.shape[0])
            guided, scale = own, torch.zeros_like(own[..., :1])
        forward, backward = recurrence(own, guided, scale, rows, decoder.lstm.recurrent).permute(1, 2, 0, 3)
        emissions = decoder.output(torch.cat([forward, reorder(backward, order)], -1))
        if self.direct is None or attributes is None:
            return emissions
        tags = self.direct.vectors(attributes).unflatten(-1, (self.direct.tags, features.shape[-1]))  # (N, K, D)
        return emissions + features[rows] @ tags.transpose(1, 2)


class _Values(nn.Module):
    """What the prototypes of pairs find: with text and photos (N, D), each alone, and where they looked."""

    vectors: Tensor

    def __init__(self, network: Network, head: ValueHead) -> None:
        super().__init__()
        self.head = head
        self.register_buffer("vectors", network.prototypes(torch.arange(network.attributes)))

    def forward(
        self,
        features: Tensor,
        unit_mask: Tensor,
        state: Tensor,
        rows: Tensor,
        distinct: Tensor,
        position: Tensor,
        regions: Tensor | None = None,
        region_mask: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        vectors = self.vectors[distinct]
        found = self.head.find(vectors, rows, position, features, unit_mask, state, regions, region_mask)
        compared = self.head.compare(vectors[position], found)
        return tuple(x for x in (*compared, found.unit_weights, found.region_weights) if x is not None)


def _export_text(network: Network, path: Path) -> None:
    ids = torch.ones(2, 7, dtype=torch.long)
    mask = torch.tensor([[True] * 7, [True] * 5 + [False] * 2])
    inputs: dict[str, tuple[Tensor, dict[int, str]]] = {
        "input_ids": (ids, {0: "rows", 1: "tokens"}),
        "token_mask": (mask, {0: "rows", 1: "tokens"}),
        "unit_index": (ids[:, :4], {0: "rows", 1: "units"}),
    }
    if network.image is not None:
        inputs["regions"] = (torch.randn(2, 4, network.image.width), {0: "rows", 1: "regions"})
        inputs["region_mask"] = (torch.tensor([[True] * 4, [False] * 4]), {0: "rows", 1: "regions"})
    outputs = {"features": {0: "rows", 1: "units"}}
    if network.classifier is not None:
        outputs["range_logits"] = {0: "rows"}
    if network.image is not None:
        outputs["weights"] = {0: "rows", 1: "tokens", 2: "regions"}
    if network.values is not None:
        outputs |= {"state": {0: "rows"}, "value_logits": {0: "rows"}}
    traced = _Text(network)
    _export(traced, inputs, outputs, path, fused=traced.network.text is not network.text)


def _export_image(network: Network, size: int, path: Path) -> None:
    pixels = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    _export(_Image(network), {"pixels": (pixels, {0: "photos"})}, {"regions": {0: "photos"}}, path)


def _export_decoder(network: Network, path: Path) -> None:
    features = torch.randn(2, 5, network.text.width)
    inputs: dict[str, tuple[Tensor, dict[int, str]]] = {
        "features": (features, {0: "rows", 1: "units"}),
        "unit_mask": (torch.tensor([[True] * 5, [True] * 3 + [False] * 2]), {0: "rows", 1: "units"}),
    }
    if network.classifier is not None:
        inputs["rows"] = (torch.tensor([0, 1, 1]), {0: "pairs"})
        inputs["attributes"] = (torch.zeros(3, dtype=torch.long), {0: "pairs"})
    count = "pairs" if network.classifier is not None else "rows"
    _export(_Decoder(network).eval(), inputs, {"emissions": {0: count, 1: "units"}}, path)


def _export_values(network: Network, head: ValueHead, directory: Path) -> None:
    """The graph of a value head, and its options' vectors (O, D) and biases (O,)."""
    pair = torch.tensor([0, 1, 1])
    inputs: dict[str, tuple[Tensor, dict[int, str]]] = {
        "features": (torch.randn(2, 5, network.text.width), {0: "rows", 1: "units"}),
        "unit_mask": (torch.tensor([[True] * 5, [True] * 3 + [False] * 2]), {0: "rows", 1: "units"}),
        "state": (torch.randn(2, network.text.width), {0: "rows"}),
        "rows": (pair, {0: "pairs"}),
        "distinct": (torch.zeros(2, dtype=torch.long), {0: "attributes"}),
        "position": (pair, {0: "pairs"}),
    }
    outputs = {name: {0: "pairs"} for name in ("both", "by_text", "by_photo")}
    outputs["unit_weights"] = {0: "pairs", 1: "units"}
    if network.image is not None:
        inputs["regions"] = (torch.randn(2, 4, network.image.width), {0: "rows", 1: "regions"})
        inputs["region_mask"] = (torch.tensor([[True] * 4, [False] * 4]), {0: "rows", 1: "regions"})
        outputs["region_weights"] = {0: "pairs", 1: "regions"}
    _export(_Values(network, head), inputs, outputs, directory / VALUES_FILE)
    vectors, bias = (x.contiguous() for x in head.all_options())
    save_file({"vectors": vectors, "bias": bias}, directory / OPTIONS_FILE)


def _export(
    module: nn.Module,
    inputs: dict[str, tuple[Tensor, dict[int, str]]],
    outputs: dict[str, dict[int, str]],
    path: Path,
    *,
    fused: bool = False,
) -> None:
    import onnx

    # The tracing exporter: the newer one needs onnxscript besides, and fixes sizes that are data here.
    torch.onnx.export(
        module.eval(),
        tuple(example for example, _ in inputs.values()),
        str(path),
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_axes={name: axes for name, (_, axes) in inputs.items()} | outputs,
        opset_version=OPSET,
        custom_opsets={MICROSOFT: 1} if fused else {},
        dynamo=False,
    )
    graph = onnx.load(path)
    put_scans(graph)
    onnx.save(graph, path)


def _transitions(network: Network) -> Transitions:
    crf = network.crf
    return Transitions(
        (crf.start_transitions + crf.forbidden_start).detach().double().numpy(),
        (crf.transitions + crf.forbidden_transitions).detach().double().numpy(),
        crf.end_transitions.detach().double().numpy(),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Tracing warns of every Python branch."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
