"""A smaller student of a trained model: fewer layers, which learn from unlabelled products what the model says of them.

The student starts from some of the model's layers and all else that it has, and shares its image encoder. It is judged
by how far it finds what the model finds, so that no product needs a label.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import set_seed

from attrex.config import Config
from attrex.encoding.dataset import Collator, LabelledProducts
from attrex.encoding.encoder import ProductEncoder
from attrex.encoding.targets import TargetEncoder
from attrex.errors import ConfigError, DataError
from attrex.evaluation.metrics import score
from attrex.evaluation.parity import agreement_f1, cells_agreement, judged
from attrex.evaluation.reliability_plot import reliability_svg
from attrex.evaluation.table import table_answers
from attrex.evaluation.threshold import CANDIDATES, best_threshold, threshold_curve
from attrex.inference.checkpoint import Model, load_model
from attrex.inference.extractor import Extractor
from attrex.io.atomic import write_text
from attrex.model.batch import Inputs
from attrex.model.build import build_system
from attrex.model.distillation import distillable, distillation_losses, kept_layers
from attrex.model.network import Network
from attrex.progress import Progress, note, silent
from attrex.training.model_card import RELIABILITY_PLOT, model_card
from attrex.training.resuming import fingerprint, open_run
from attrex.training.train import calibrate_on, count_repeated, headline, training_extractor
from attrex.training.trainer import AttrexTrainer
from attrex.types import Prediction, Product

_LAYERS = "text.layers."


def distill_model(
    teacher: Model,
    products: Iterable[Product],
    validation: Iterable[Product],
    directory: str | Path,
    *,
    layers: int,
    config: Config | None = None,
    calibrate: bool = True,
    resume: bool = False,
    progress: Progress = silent,
) -> Model:
    """Train a student of ``teacher`` and write its directory; the state that finds most alike is kept.

    :param products: texts and photos to learn from; labels and tables of theirs are not read.
    :param validation: products that the teacher was not trained on. With labels the student is scored on them, too.
    :param layers: of the student's text encoder, fewer than the teacher's.
    :param config: the teacher's with another `training` section; None: as it is.
    :param calibrate: make the confidences those of the validation products' filled cells; False: the teacher's stay.
    :param resume: continue a killed run from its last checkpoint; a finished one is loaded.

    Raises :class:`ConfigError` for a teacher that cannot be distilled, or when the directory holds another run, and
    :class:`DataError` where there is nothing to learn from or to compare.
    """
    config = config or teacher.config
    directory = Path(directory)
    kept_layers(layers, len(distillable(teacher.network).text.layers))
    products, validation = list(products), [p for p in validation if p.error is None]
    record = fingerprint(config, products, validation, layers=str(layers), teacher=_content(teacher))
    with open_run(directory, record, resume, finished="attrex.json", what="model") as checkpoint:
        if (directory / "attrex.json").exists():
            note(progress, f"{directory} is finished already: nothing left to do")
            shutil.rmtree(directory / "checkpoints", ignore_errors=True)
            return load_model(directory, allow_code=config.code)
        return _fit(teacher, products, validation, directory, layers, config, calibrate, checkpoint, progress)


def student_of(teacher: Model, layers: int, config: Config | None = None) -> Model:
    """The student as it starts: some layers of the teacher, evenly spread, and all else that it has.

    :param config: the teacher's with another `training` section; None: as it is.
    """
    network = distillable(teacher.network)
    config = config or teacher.config
    kept = kept_layers(layers, len(network.text.layers))
    architecture = network.architecture()
    architecture["text"] = architecture["text"] | {"num_hidden_layers": layers}
    student = build_system(config, teacher.schema, teacher.tokenizer, architecture)
    student.load_state_dict(
        {new: value.cpu() for name, value in network.state_dict().items() if (new := _renumbered(name, kept))}
    )
    return replace(teacher, network=student, config=config, thresholds=dict(teacher.thresholds))


def _renumbered(name: str, kept: Sequence[int]) -> str | None:
    """A weight's name in the student; None for those of layers that it has not."""
    if not name.startswith(_LAYERS):
        return name
    number, rest = name.removeprefix(_LAYERS).split(".", maxsplit=1)
    return f"{_LAYERS}{kept.index(int(number))}.{rest}" if int(number) in kept else None


def _content(model: Model) -> str:
    """What tells a teacher from others: its weights, and what it finds with them."""
    found = hashlib.blake2b(repr((model.shop.to_yaml(), model.thresholds)).encode())
    for name, tensor in sorted(model.network.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.cpu().contiguous().numpy())
    return found.hexdigest()


class DistillingTrainer(AttrexTrainer):
    """As for every training, but the loss is how far the network is from its teacher, whatever the labels are."""

    teacher: Network

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if self.accelerator.num_processes > 1:
            raise ConfigError("a student is trained by one process; start it without torchrun")
        with self.accelerator.autocast():
            losses = distillation_losses(
                self.accelerator.unwrap_model(model), self.teacher, Inputs.from_tensors(inputs)
            )
        return (losses.loss, losses) if return_outputs else losses.loss


def _fit(
    teacher: Model,
    products: Sequence[Product],
    validation: Sequence[Product],
    directory: Path,
    layers: int,
    config: Config,
    calibrate: bool,
    checkpoint: Path | None,
    progress: Progress,
) -> Model:
    """One distillation, from its start or from a checkpoint, to a model directory."""
    set_seed(config.training.seed)
    network = distillable(teacher.network)
    told = list(Extractor(teacher).extract(validation, evidence=False))
    as_gold = [replace(p, spans=t.spans) for p, t in zip(validation, told, strict=True)]
    if not any(p.spans for p in as_gold):
        raise DataError(
            f"the model finds nothing in the {len(validation):,} validation products, so that no student can be "
            "compared with it; give products of its shop"
        )
    model = student_of(teacher, layers, config)
    if model.network.image is not None:
        model.network.image.requires_grad_(False)
    encoder = ProductEncoder(model.tokenizer, config, model.schema)
    train_set = LabelledProducts(products, encoder, TargetEncoder(model.schema))
    if not train_set.products:
        raise DataError(f"none of the {len(products):,} products has a text that the tokenizer can read")
    extractor = training_extractor(model)

    def read(threshold: float | None = None) -> list[Prediction]:
        return list(extractor.extract(validation, evidence=False, threshold=threshold))

    of = len(network.text.layers)
    note(progress, f"a student of {layers} layers in place of {of}; its scores are against what the model finds")
    trainer = DistillingTrainer(
        model.network,
        config,
        train_set,
        Collator(encoder, extractor.loader),
        lambda: headline(score(as_gold, read(), bootstrap=0).to_json()),
        directory,
        trackers=[],
        progress=progress,
    )
    trainer.teacher = network.eval().to(trainer.args.device)
    trainer.run(checkpoint)
    curve = threshold_curve(as_gold, read(min(CANDIDATES)))
    model.thresholds["range"] = best_threshold(curve)
    calibrated = calibrate_on(extractor, validation, progress) if calibrate and model.network.chooses_values else None
    found = read()
    scores = None
    if all(p.spans is not None for p in validation):
        scores = score(validation, judged(model, validation, found), bootstrap=1000).to_json()
    model.metrics = {
        **teacher.metrics,
        "validation": scores,
        "threshold_curve": curve,
        "history": trainer.validations,
        "training_products": train_set.products,
        "steps": trainer.state.global_step,
        "minutes": round(trainer.minutes, 2),
        "seed": config.training.seed,
        "repeated_validation": count_repeated(products, validation, progress),
        "calibration": calibrated.to_json() if calibrated is not None else None,
        "distilled": {
            "layers": layers,
            "of": of,
            "agreement_f1": agreement_f1(as_gold, found),
            "cells_agreement": cells_agreement(*(table_answers(p, model.normalizer) for p in (told, found))),
            "teacher_validation": teacher.metrics.get("validation"),
        },
    }
    if calibrated is not None:
        write_text(directory / RELIABILITY_PLOT, reliability_svg(calibrated.reliability))
    model.save(directory, card=model_card(model))
    shutil.rmtree(directory / "checkpoints", ignore_errors=True)
    return model
