"""A training step of a preset against its bare encoders: how much of the time is the method, how much the backbones.

    python benchmarks/training.py --data train.jsonl --out benchmarks/training.json

Bare: both encoders forward and backward on the same batches, nothing else. Step: what training does, with collating
(photos decoded before), both losses, gradient clipping and the optimizer. Measured in turn, batch by batch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

from attrex.config import Config
from attrex.encoding.dataset import BucketSampler, Collator, LabelledProducts
from attrex.encoding.encoder import ProductEncoder
from attrex.encoding.targets import TargetEncoder
from attrex.io.atomic import write_json
from attrex.io.images import ImageLoader
from attrex.io.readers import read_products
from attrex.model.batch import Inputs
from attrex.model.precision import use_bf16
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.tools.benchmark import machine
from attrex.training.train import calibrate_regions, init_range_bias, new_model
from attrex.training.trainer import parameter_groups


def main() -> None:
    options = _parse()
    products = list(read_products(options.data, limit=options.limit))
    config = Config.load(options.preset, options.set)
    model = new_model(config, Shop(schema=Schema.learn(products)))
    network = model.network.train()
    encoder = ProductEncoder(model.tokenizer, config, model.schema)
    data = LabelledProducts(products, encoder, TargetEncoder(model.schema))
    init_range_bias(model, data)
    calibrate_regions(model, products[:64])
    collator = Collator(encoder, ImageLoader(model.transform) if model.transform else None)
    optimizer = torch.optim.AdamW(parameter_groups(network, config.training), fused=True)
    batches = list(BucketSampler(data.lengths(), config.training.batch_size, 0))[: options.steps + 1]
    for batch in batches:  # photos are decoded once, as in the second epoch of a training
        collator([data[i] for i in batch])

    bf16 = use_bf16(config.training.precision)

    def autocast() -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=bf16)

    def bare(numbers: list[int]) -> None:
        inputs = Inputs.from_tensors(collator([data[i] for i in numbers]))
        with autocast():
            last, _ = network.text.encode(network.text.embed(inputs.input_ids), inputs.token_mask)
            loss = last.float().square().mean()
            if inputs.pixels is not None:
                loss = loss + network.encode_images(inputs.pixels).float().square().mean()
        loss.backward()
        network.zero_grad()

    def step(numbers: list[int]) -> None:
        with autocast():
            loss = network(**collator([data[i] for i in numbers])).loss
        loss.backward()
        clip_grad_norm_(network.parameters(), config.training.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()

    seconds: dict[str, list[float]] = {"bare encoders": [], "training step": []}
    for numbers in batches:
        for name, work in (("bare encoders", bare), ("training step", step)):
            seconds[name].append(_seconds(work, numbers))
    shares = [a / b for a, b in zip(seconds["bare encoders"][1:], seconds["training step"][1:], strict=True)]
    size = config.training.batch_size
    result = {
        "machine": machine(),
        "preset": config.preset,
        "batch_size": size,
        "precision": "bf16" if bf16 else "fp32",
        "steps": len(shares),
        "ms_per_product": {name: round(1e3 * median(s[1:]) / size, 2) for name, s in seconds.items()},
        "throughput_of_bare_encoders": {
            "median": round(median(shares), 3),
            "lowest": round(min(shares), 3),
            "highest": round(max(shares), 3),
        },
        "padding": round(1 - _real_tokens(data, batches) / _padded_tokens(data, batches), 3),
    }
    write_json(options.out, result)
    print(result["ms_per_product"], result["throughput_of_bare_encoders"], "padding", result["padding"])
    print(f"figures: {options.out}")


def _seconds(work: Callable[[list[int]], None], numbers: list[int]) -> float:
    started = time.perf_counter()
    work(numbers)
    return time.perf_counter() - started


def _real_tokens(data: LabelledProducts, batches: list[list[int]]) -> int:
    lengths = data.lengths()
    return sum(lengths[i] for batch in batches for i in batch)


def _padded_tokens(data: LabelledProducts, batches: list[list[int]]) -> int:
    lengths = data.lengths()
    return sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)


def _parse() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="labelled products, e.g. train.jsonl")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--set", action="append", default=[], help="override a setting, as in attrex train")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "training.json")
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    main()
