"""The screens of `attrex systems` and `attrex weights`: what there is to choose from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from attrex.cli.screens.figures import Figures

if TYPE_CHECKING:
    from attrex.model.weights import Backbone
    from attrex.systems import SystemInfo


def systems_screen(systems: Mapping[str, SystemInfo]) -> Group:
    """A line for each system; the list is short and made to be looked through, so all are shown."""
    rows = [
        [
            name,
            info.paper,
            info.reads,
            "given" if info.attribute_given else "predicted",
            info.decodes,
        ]
        for name, info in systems.items()
    ]
    headings = ("system", "published", "reads", "attribute", "values by")
    return Group(
        Figures("Systems", headings, rows, everything=True, names=5),
        Text(
            "*: published with frozen encoders (training.scheme=fixed). attribute given: it answers for one attribute "
            "at a time, and is asked for all of them unless you name some.",
            "dim",
        ),
    )


def weights_screen(backbones: Iterable[Backbone]) -> Group:
    """The pretrained weights, and whether they are installed."""
    rows = [[b.name, b.package, b.license, str(b.megabytes), b.installed or "no"] for b in backbones]
    headings = ("weights", "package", "licence", "MB", "here")
    return Group(Figures("Pretrained weights", headings, rows, everything=True, names=5))
