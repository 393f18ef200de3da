"""Options that several commands share; those about reading products are defined once, in :class:`SourceOptions`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from attrex.cli.inputs import tell_bad_rows
from attrex.io.bad_rows import BadRowLimit

if TYPE_CHECKING:
    from attrex.io.readers import Products
    from attrex.shop.shop import Shop

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Override a setting, e.g. training.epochs=2. May be repeated."),
]
Preset = Annotated[str, typer.Option(metavar="NAME", help="small, mepave, mae, ... or a YAML file.")]
Seed = Annotated[int | None, typer.Option(help="Seed of everything random.")]
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Model directory, or its name on the Hugging Face hub.")
]
Threshold = Annotated[
    float | None,
    typer.Option(help="Threshold of the attribute range, in place of the model's: lower finds more.", min=0, max=1),
]
All = Annotated[bool, typer.Option("--all", help="Show every row of the tables.")]
BatchSize = Annotated[int | None, typer.Option(help="Rows per batch; default: the model's.", min=1)]
Deterministic = Annotated[
    bool,
    typer.Option(
        "--deterministic", help="The same values for a product alone as among others: torch in fp32, or an export."
    ),
]
NoPhotos = Annotated[bool, typer.Option("--no-photos", help="Read the texts only.")]


@dataclass(frozen=True)
class SourceOptions:
    """How a command reads products. Its fields are options of every command under :func:`reads_products`."""

    shop: Annotated[
        Path | None,
        typer.Option(help="What columns and cells mean (docs/data.md): shop.yaml, or a model; default: the model's."),
    ] = None
    texts: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Text columns in reading order, e.g. title,description; default: the shop's."
        ),
    ] = None
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Directory of the photos, where relative paths start; default: the data file's.",
        ),
    ] = None
    allow_outside: Annotated[
        bool, typer.Option("--allow-outside", help="Read photos that the data names anywhere, not only in --images.")
    ] = False
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Split of a directory or data set, e.g. train.")] = (
        None
    )
    limit: Annotated[int | None, typer.Option(help="Only the first so many products.", min=1)] = None
    max_bad_rows: Annotated[
        str | None,
        typer.Option(
            metavar="N|N%",
            help="End with code 1 if more rows cannot be read; default: 1%, and no damaged part of a file.",
        ),
    ] = None
    dialect: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Platform whose export the file is (docs/shops.md), or none; default: the one its header shows.",
        ),
    ] = None
    opened: list[Any] = field(default_factory=list, repr=False)
    """No option: the :class:`~attrex.io.readers.Products` that the command reads, whose rows are counted."""

    def shop_of(self, model: str | None = None) -> Shop:
        """The shop that is asked for; else the model's, if there is one; else one with nothing but defaults."""
        from attrex.inference.directory import model_shop
        from attrex.shop.shop import DEFAULT_SHOP, Shop

        shop = Shop.load(self.shop) if self.shop else model_shop(model) if model else DEFAULT_SHOP
        texts = tuple(name.strip() for name in self.texts.split(",")) if self.texts else shop.columns.texts
        return replace(shop, columns=replace(shop.columns, texts=texts))

    def products(self, data: str, shop: Shop, *, split: str | None = None) -> Products:
        """Products of a source, marked rows among them; ``split``: in place of the option.

        Of a platform's export a person is told how it is read.
        """
        from attrex.cli.console import note
        from attrex.io.readers import Products, export_of

        if (export := export_of(data, shop, self.dialect)) is not None:
            note(export.told())
        found = Products(
            data,
            shop=shop,
            images=self.images,
            split=split or self.split,
            limit=self.limit,
            dialect=self.dialect,
            allow_outside=self.allow_outside,
        )
        self.opened.append(found)
        return found

    def whole(self) -> SourceOptions:
        """The same for another file, of which all is read."""
        return replace(self, split=None, limit=None)

    def record(self) -> dict[str, str | bool | None]:
        """What the products depend on, by the name of the option: a resumed run has to say the same."""
        return {
            "--images": str(self.images.resolve()) if self.images else None,
            "--allow-outside": self.allow_outside,
            "--texts": self.texts,
            "--shop": str(self.shop) if self.shop else None,
            "--dialect": self.dialect,
        }


RemoteImages = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Directory or address (s3://...) of the photos, where relative paths start; default: the data file's.",
    ),
]


def reads_products(
    *without: str, remote: bool = False, **defaults: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of :class:`SourceOptions` in place of its parameter ``source``.

    ``without``: options that it does not have. ``defaults``: other ones than those of the class. ``remote``: photos may
    be at an address.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(SourceOptions, include_extras=True) | ({"images": RemoteImages} if remote else {})
        shared = [
            inspect.Parameter(
                f.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=defaults.get(f.name, f.default),
                annotation=hints[f.name],
            )
            for f in fields(SourceOptions)
            if f.name not in (*without, "opened") and not (f.name == "allow_outside" and "images" in without)
        ]

        @wraps(command)
        def run(**options: Any) -> None:
            unopened = {"allow_outside": True} if "images" in without else {}  # it opens no photos
            source = SourceOptions(**unopened | {p.name: options.pop(p.name) for p in shared})
            limit, code = BadRowLimit.parse(source.max_bad_rows), 0
            try:
                command(**options, source=source)
            except typer.Exit as exc:
                code = exc.exit_code
            if tell_bad_rows(source.opened, limit) or code:
                raise typer.Exit(code or 1)

        own = inspect.signature(command, eval_str=True).parameters.values()
        kept = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own if p.name != "source"]
        run.__signature__ = inspect.Signature([*kept, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*kept, *shared)}
        return run

    return decorate
