"""What training, checkpoints and extraction know of any system: its encoders, its losses, its spans.

Shapes: B rows, M photos, H x W pixels, R regions of a row, r regions of a photo, V image width, C attributes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from attrex.config import Config
from attrex.errors import ConfigError
from attrex.model.batch import Batch, Decoded, Losses
from attrex.model.image_encoder import ImageEncoder
from attrex.model.region_norm import RegionNorm
from attrex.model.text_encoder import TextEncoder


class System(nn.Module, ABC):
    """A system: ULS-DRAM (:mod:`attrex.model.network`) or another one (:mod:`attrex_paper.systems`).

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

    @abstractmethod
    def forward(self, **tensors: Tensor) -> Losses:
        """Losses of a labelled :class:`Batch`, given as keyword arguments."""

    @abstractmethod
    def extract(
        self, batch: Batch, *, threshold: float | None = None, region_weights: bool = False, only: Tensor | None = None
    ) -> Decoded:
        """Spans of a batch, with probabilities.

        ``threshold`` replaces S_thr; ``only`` (B, C) bool: the attributes to look for, in place of what the system
        would choose.
        """

    @property
    def predicts_range(self) -> bool:
        """Whether S_thr decides what is decoded."""
        return False

    def init_bias(self, frequency: Tensor) -> None:
        """Take each attribute's training frequency (C,) as what is to be expected; nothing for most systems."""

    def learn_values(self, said: Iterable[tuple[int, tuple[int, ...]]]) -> None:
        """Take the values that the training texts say, (attribute, token ids) each; for a closed vocabulary."""

    def asked(self, batch: Batch, only: Tensor | None) -> Tensor | None:
        """(B, C) bool, what to look for: ``only``, else what the category has (`range.mask_by_category`); None: all."""
        return batch.allowed if only is None and self.settings.range.mask_by_category else only

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

    def regions(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Image regions of each row (B, R, V) and their mask (B, R); each photo is encoded once, whoever shows it."""
        assert self.image is not None
        rows = len(batch.input_ids)
        photos = batch.pixels if batch.seen is None else batch.seen
        if photos is None or batch.image_index is None or not len(photos):
            nothing = torch.zeros(rows, 1, self.image.width, device=batch.input_ids.device)
            return nothing, nothing[..., 0].bool()
        encoded = self.see(photos) if batch.seen is None else photos
        index = batch.image_index
        if self.training and self.settings.image.dropout:
            hidden = torch.rand(rows, device=index.device) < self.settings.image.dropout
            index = index.masked_fill(hidden[:, None], -1)
        regions = encoded[index.clamp(min=0)]  # (B, I, r, V)
        mask = (index >= 0)[..., None].expand(regions.shape[:3])
        return regions.flatten(1, 2), mask.flatten(1)

    def see(self, photos: Tensor) -> Tensor:
        """Photos (M, H, W, 3) uint8 -> regions (M, r, V)."""
        assert self.image is not None
        encoded = self.image(self._normalised(photos))
        return encoded if self.region_norm is None else self.region_norm(encoded)

    @torch.no_grad()
    def calibrate(self, photos: Tensor) -> None:
        """Measure what is usual for the shop's photos (M, H, W, 3) uint8; needed once, before training."""
        if self.image is None or self.region_norm is None or not len(photos):
            return
        self.eval()
        self.region_norm.calibrate(torch.cat([self.image(self._normalised(part)) for part in photos.split(32)]))

    def _normalised(self, photos: Tensor) -> Tensor:
        """(M, H, W, 3) uint8 -> (M, 3, H, W), already in channels_last order, which convolutions prefer on CPUs."""
        pixels = (photos.float() - self.pixel_mean) / self.pixel_std  # type: ignore[operator]
        return pixels.permute(0, 3, 1, 2)
