"""What the functions of the pipeline are given: products, a shop, a lexicon, a model, in any of their forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrex.errors import ConfigError, DataError
from attrex.io.readers import Products, Source
from attrex.io.rows import as_products
from attrex.shop.shop import DEFAULT_SHOP, Shop
from attrex.types import Product

if TYPE_CHECKING:
    from attrex.inference.checkpoint import Model
    from attrex.inference.extractor import Extractor
    from attrex.review.verdicts import CellVerdict, Verdicts
    from attrex.vocabulary.lexicon import Lexicon

    ModelSource = str | Path | Model | Extractor  # a directory, a name on the Hugging Face hub, or a loaded one

ProductSource = Source | Products | Iterable[Product | Mapping[str, Any] | str]
"""A file, a data set, or products, dicts or texts."""


def shop_of(shop: Shop | str | Path | None, model: Any = None) -> Shop:
    """The shop that is given, else the model's, else one with nothing but defaults."""
    from attrex.inference.directory import model_shop

    if shop is not None:
        return shop if isinstance(shop, Shop) else Shop.load(shop)
    if isinstance(model, str | Path):
        return model_shop(model)
    if model is not None:
        return getattr(model, "model", model).shop
    return DEFAULT_SHOP


def products_of(source: ProductSource, shop: Shop) -> Iterable[Product]:
    """Products that can be iterated again."""
    labelled = getattr(source, "products", None)  # of what `locate` returned
    if isinstance(labelled, Products):
        return labelled
    if isinstance(source, Products):
        return source
    plain = str | bytes | int | float | None
    if isinstance(source, Mapping) and any(isinstance(value, plain) for value in source.values()):
        raise DataError("products should be a list or another iterable, got one row; put a single one into a list")
    if isinstance(source, str | Path | Mapping) or hasattr(source, "with_format"):
        return Products(source, shop=shop)  # type: ignore[arg-type]
    return list(as_products(source, shop))


def counted(products: Iterable[Product], counts: Any) -> Iterable[Product]:
    """The same, with their columns counted where they are read from a file."""
    return products.counted(counts) if isinstance(products, Products) else products


def lexicon_of(lexicon: Lexicon | str | Path | None) -> Lexicon:
    from attrex.vocabulary.lexicon import NOTHING_MINED, Lexicon

    if lexicon is None:
        return NOTHING_MINED
    return lexicon if isinstance(lexicon, Lexicon) else Lexicon.load(lexicon)


def verdicts_of(verdicts: Iterable[CellVerdict] | str | Path | None) -> Verdicts:
    """Verdicts in any of their forms."""
    from attrex.review.verdicts import Verdicts

    if verdicts is None:
        return Verdicts(())
    return Verdicts.load(verdicts) if isinstance(verdicts, str | Path) else Verdicts(verdicts)


def directory_of(model: str | Path) -> Path:
    """The directory of a model, whose files may be replaced; raises :class:`ConfigError` for anything else."""
    if not isinstance(model, str | Path) or not Path(model).is_dir():
        named = repr(str(model)) if isinstance(model, str | Path) else type(model).__name__
        raise ConfigError(f"expected the directory of a model, whose calibration is replaced, got {named}")
    return Path(model)


def extractor_of(model: Any, *, deterministic: bool = False, **options: Any) -> Extractor:
    """An extractor of a directory, a hub name, or a loaded model; one that is given, is checked and taken as it is."""
    from attrex.inference.extractor import Extractor, check_deterministic

    if isinstance(model, Extractor):
        if deterministic:
            check_deterministic(model.engine)
        return model
    if isinstance(model, str | Path):
        return Extractor.load(model, deterministic=deterministic, **options)
    return Extractor(model, deterministic=deterministic)


def trained_model(model: Any, allow_code: Iterable[str | type] = ()) -> Model:
    """A trained model of a directory, a hub name, or a loaded one; raises :class:`ConfigError` for an export's."""
    from attrex.inference.checkpoint import Model, load_model

    model = getattr(model, "model", model)  # an extractor's
    if not isinstance(model, str | Path | Model):
        raise ConfigError(f"expected a trained model, got {type(model).__name__}; give its directory")
    return load_model(model, allow_code=allow_code) if isinstance(model, str | Path) else model
