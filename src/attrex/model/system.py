"""What training, checkpoints and extraction know of any system: its encoders, its losses, its spans.

Shape letters:
    B rows     C attributes     M photos     I photos of a row     H, W pixels     r regions of a photo
    R regions of a row     V image width
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from attrex.config import Config
from attrex.errors import ConfigError
from attrex.model.batch import Batch, Decoded, Inputs, Losses, Targets
from attrex.model.image_encoder import ImageEncoder
from attrex.model.region_norm import RegionNorm
from attrex.model.text_encoder import TextEncoder

if TYPE_CHECKING:
    from attrex.model.build import Parts


class System(nn.Module, ABC):
    """A system: ULS-DRAM (:mod:`attrex.model.network`), or one that a package registers or a user names.

    ``text`` and ``image`` are its pretrained encoders, None where it has none; the training scheme freezes them.
    """

    fusion_parts: tuple[str, ...] = ()  #: names of the parts that feed a pretrained text encoder

    def __init__(
        self, config: Config, attributes: int, text: TextEncoder | None = None, image: ImageEncoder | None = None
    ) -> None:
        super().__init__()
        if text is not None and config.text.max_tokens > text.max_tokens:
            raise ConfigError(
                f"text.max_tokens={config.text.max_tokens} is more than {config.text.model} reads: {text.max_tokens}; "
                "lower it: longer texts are read in overlapping windows"
            )
        self.settings, self.attributes = config, attributes  # not `config`: the Trainer takes that for its own kind
        self.text, self.image = text, image
        self.range_only = False  # set by the trainer during `range.only_epochs`
        self.drop_uncertain = False  # set by training where uncertain cells outnumber the located ones: see `losses`
        self.region_norm: RegionNorm | None = None
        if image is not None:
            mean, std = config.image.mean or image.default_mean, config.image.std or image.default_std
            self.register_buffer("pixel_mean", torch.tensor(mean) * 255, persistent=False)
            self.register_buffer("pixel_std", torch.tensor(std) * 255, persistent=False)
            if config.fusion.region_norm:
                self.region_norm = RegionNorm(image.width)

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        """A system of ``attributes`` many attributes from its parts; override it for other ones than these two."""
        return cls(config, attributes, parts.text, parts.image)

    def forward(self, **tensors: Tensor) -> Losses:
        """The Trainer's call: :meth:`losses` of a labelled :class:`Batch`, given by the names of its tensors."""
        batch = Batch.from_tensors(tensors)
        return self.losses(batch.inputs, batch.targets)

    @abstractmethod
    def losses(self, inputs: Inputs, targets: Targets) -> Losses:
        """Losses of a labelled batch."""

    @abstractmethod
    def extract(self, inputs: Inputs, *, threshold: float | None = None, region_weights: bool = False) -> Decoded:
        """Spans of a batch, with probabilities.

        :param threshold: replaces S_thr.
        :param region_weights: return the attention to image regions, too.
        """

    @property
    def predicts_range(self) -> bool:
        """Whether S_thr decides what is decoded."""
        return False

    @property
    def chooses_values(self) -> bool:
        """Whether a value head chooses among the attributes' options."""
        return False

    def init_bias(self, located: Tensor, filled: Tensor, options: Tensor) -> None:
        """Start at what is frequent in training; nothing for most systems.

        :param located: (C,) share of the rows whose text says the attribute.
        :param filled: (C,) share of the rows that have a value of it, said or not.
        :param options: (O,) how many have each option, attribute by attribute.
        """

    def build_vocabulary(self, values: Iterable[tuple[int, tuple[int, ...]]]) -> None:
        """Take the training texts' values, (attribute, token ids) each, for a closed vocabulary; most need none."""

    def wanted(self, inputs: Inputs) -> Tensor | None:
        """(B, C) bool, the attributes to extract: those given, else what the category has; None for all."""
        given = inputs.attributes
        return inputs.allowed if given is None and self.settings.range.mask_by_category else given

    # ---- encoders -------------------------------------------------------------------------------------------------

    def text_encoders(self) -> Iterator[TextEncoder]:
        """Those that `training.scheme` freezes."""
        if self.text is not None:
            yield self.text

    def pretrained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Those of the text, which learn at `training.learning_rate`; what is new may have a rate of its own."""
        yield from ((n, p) for n, p in self.named_parameters() if n.startswith(("text.", "words.")))

    def architecture(self) -> dict[str, Any]:
        """What is needed to build the encoders again without any download. JSON."""
        return {
            "text": self.text.spec() if self.text is not None else None,
            "image": self.image.spec() if self.image is not None else None,
        }

    # ---- photos ---------------------------------------------------------------------------------------------------

    def regions(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Image regions of each row, and their mask; each photo is encoded once, however many rows show it.

        :return: (B, R, V) and (B, R) bool.
        """
        rows, index = len(inputs.input_ids), inputs.image_index
        features = inputs.image_features
        if features is None and inputs.pixels is not None and len(inputs.pixels):
            features = self.encode_images(inputs.pixels)
        if features is None or index is None or not len(features):
            nothing = torch.zeros(rows, 1, self._image_encoder().width, device=inputs.input_ids.device)
            return nothing, nothing[..., 0].bool()
        if self.training and self.settings.image.dropout:
            hidden = torch.rand(rows, device=index.device) < self.settings.image.dropout
            index = index.masked_fill(hidden[:, None], -1)
        regions = features[index.clamp(min=0)]  # (B, I, r, V)
        mask = (index >= 0)[..., None].expand(regions.shape[:3])
        return regions.flatten(1, 2), mask.flatten(1)

    def encode_images(self, pixels: Tensor) -> Tensor:
        """Photos to regions.

        :param pixels: (M, H, W, 3) uint8.
        :return: (M, r, V)
        """
        features = self._image_encoder()(self._normalised(pixels))
        return features if self.region_norm is None else self.region_norm(features)

    def _image_encoder(self) -> ImageEncoder:
        if self.image is None:
            raise ConfigError("this model has no image encoder (image.model is null); give it texts only")
        return self.image

    @torch.no_grad()
    def calibrate(self, pixels: Tensor) -> None:
        """Measure what is usual for the shop's photos; needed once, before training.

        :param pixels: (M, H, W, 3) uint8.
        """
        if self.image is None or self.region_norm is None or not len(pixels):
            return
        self.eval()
        self.region_norm.calibrate(torch.cat([self.image(self._normalised(part)) for part in pixels.split(32)]))

    def _normalised(self, pixels: Tensor) -> Tensor:
        """(M, H, W, 3) uint8 -> (M, 3, H, W), already in channels_last order, which convolutions prefer on CPUs."""
        scaled = (pixels.float() - self.pixel_mean) / self.pixel_std  # type: ignore[operator]
        return scaled.permute(0, 3, 1, 2)
