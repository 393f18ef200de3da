"""What shops call their columns, in a few languages, from English and German to Turkish and Chinese."""

from __future__ import annotations

import re

from attrex.io.dialects.dialect import name_key


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.replace("\n", "|").split("|") if name.strip())


def _words(text: str) -> re.Pattern[str]:
    """Names in which one of the words stands."""
    return re.compile(rf".*?\b(?:{'|'.join(_names(text))})(?:\b|(?=\d)).*")


IDS = _names("""
    id | sku | product id | item id | article id | product code | item code | article number | item number
    product number | asin | code | reference | ref | artikelnummer | artikelnr | artikel nr | art nr | référence
    handle | handle id
    product sku | item sku | seller sku | custom label | article no | item no | product no | art no | style number
    artikel nummer | bestellnummer | bestell nr | produktnummer | produkt id | nummer | réf | code article | código
    codigo | referencia | codice | codice articolo | artikelcode | ürün kodu | stok kodu | 商品编号 | 编号 | 货号
""")
TITLES = _names("""
    title | name | product title | product name | item name | article name | productname | producttitle | item title
    product | titel | bezeichnung | produktname | artikelname | artikelbezeichnung | produktbezeichnung | produkttitel
    titre | nom | désignation | libellé | nom du produit | nombre | nombre del producto | título | titulo
    titolo | nome | nome prodotto | denominazione | naam | productnaam | omschrijving kort | başlık | ürün adı
    商品名称 | 商品名 | 商品标题 | 标题 | 名称
""")
TEXTS = _names("""
    short description | description | long description | product description | bullets | bullet points | bullet point
    text | body | body html | details | summary | highlights | about | features | key features | item description
    full description | plain description | html description | long text | short text | product details
    kurzbeschreibung | beschreibung | langbeschreibung | produktbeschreibung | artikelbeschreibung | langtext | kurztext
    produkttext | artikeltext | verkaufstext
    description courte | description longue | descriptif | descripción | descripción corta | descripción larga
    descripcion | descrizione | descrizione breve | beschrijving | omschrijving | açıklama | ürün açıklaması
    商品描述 | 描述 | 详情
""")
CATEGORIES = _names("""
    category | categories | product category | product type | category path | google product category | category name
    kategorie | kategorien | produktkategorie | warengruppe | artikelgruppe | catégorie | catégories | rayon | categoría
    categorías | familia | categoria | categorie | kategori | 类目 | 分类 | type
""")
GROUPS = _names("group | group id | item group id | parent | parent sku | parent id | model | style id")

_PHOTO = _words("""
    images? | photos? | pictures? | pics? | fotos? | img | thumbnail | media | immagin[ei] | imagen(?:es)?
    afbeelding(?:en)? | resim | görsel | abbildung(?:en)? | 图片 | 主图
    (?:produkt|haupt|artikel|zusatz|vorschau)?bild(?:er)?(?:datei(?:en)?|name|url|link|pfad)?
""")
_ABOUT_PHOTOS = _words("""
    alt | id | description | beschreibung | title | titel | caption | position | sort | width | height | type | count
""")
_TRADE = _words(r"""
    price | prices | \w*preis | vk | ek | prix | precio | prezzo | prijs | fiyat | 价格 | cost | msrp | rrp | uvp
    currency | währung | discount | rabatt | sale | tax | vat | \w*mwst | \w*steuersatz | tva | iva | btw | kdv
    stock | \w*bestand | existencias | giacenza | voorraad | stok | 库存 | inventory | warehouse | lager\w*
    qty | quantity | \w*menge | quantité | cantidad | quantità | aantal | adet | 数量
    availability | available | verfügbar | \w*verfügbarkeit | supplier | lieferant | fournisseur | proveedor
    shipping | versand\w* | delivery | liefer\w* | livraison | envío | spedizione | kargo | hs code | zolltarif\w*
    ean | gtin | upc | isbn | mpn | herstellernummer | vendor code | barcode | barkod | 条码 | asin | sku | id | uuid
    url | link | slug | meta | seo | page title | tags? | keywords? | schlagwörter | suchbegriffe | rating | reviews?
    date | datum | created | updated | modified | timestamp | position | sort | sortierung
    status | aktiv | active | published | visible | visibility | sichtbar\w* | enabled
    field type | row type | record type
    bin picking number | allow purchases | condition id | complete | warnings | error
""")
_QUALIFIED = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\])\s*")
_CAMEL = re.compile("(?<=[a-z])(?=[A-Z])")
_NUMBERED = re.compile(r"[ .#]*\d{1,2}$")


def bare(column: str) -> str:
    """A column's name as names are compared, without what stands in brackets, a star or points: ``*Art. Nr. (SKU)``."""
    parted = _CAMEL.sub(" ", _QUALIFIED.sub(" ", column.strip(" *").replace(".", " ")))
    return name_key(parted) or name_key(column)


def first_of(columns: list[str], names: tuple[str, ...]) -> str:
    """The column with the first of the names, as they are or bare; empty: none has one."""
    for key_of in (name_key, bare):
        named = {key_of(c): c for c in reversed(columns)}
        if found := next((named[n] for n in names if n in named), ""):
            return found
    return ""


def all_of(columns: list[str], names: tuple[str, ...]) -> list[str]:
    """The columns with any of the names, bare or numbered, in the order of the names."""
    places = {name: at for at, name in enumerate(names)}
    keys = {c: key for c in columns for key in (bare(c), _NUMBERED.sub("", bare(c))) if key in places}
    return sorted(keys, key=lambda c: places[keys[c]])


def is_photo(column: str) -> bool:
    """Whether a column of this name may hold photos; its cells may say otherwise (``image sensor``)."""
    return _PHOTO.fullmatch(bare(column)) is not None and not _ABOUT_PHOTOS.fullmatch(bare(column))


def is_only_photo(column: str) -> bool:
    """Whether its name says photo and nothing else."""
    return bare(column).removesuffix("s") in ("image", "photo", "picture", "bild", "bilder", "foto")


def may_be_values(column: str) -> bool:
    """Whether a column of a text's name holds values in some shops."""
    return bare(column) in ("features", "key features", "details", "product details", "highlights")


def is_no_attribute(column: str) -> bool:
    """Whether a column of this name is of the shop's trade, or about its photos, and not of the product."""
    if any(_TRADE.fullmatch(key) for key in (name_key(column), bare(column))):
        return True
    return all(words.fullmatch(bare(column)) for words in (_PHOTO, _ABOUT_PHOTOS))
