# %% [markdown]
# # The whole job in Python
#
# From a half-filled table to a filled one, without a shell, on 120 drawn products without photos: a minute or so on
# one core. Open this file as a notebook (VS Code, PyCharm and Jupytext read the `# %%` cells), or run it:
# `python examples/notebook.py`. The drawn texts are easy; the steps are those of a real shop.

# %%
from pathlib import Path

import attrex
from attrex.demo.catalogue import write_catalogue
from attrex.progress import ProgressEvent

DIRECTORY = Path("notebook")  # everything is written here
PRESET = "small"
SETTINGS = [
    "text.max_tokens=64",  # short windows, no photos, few steps: a shop of your own needs none of these
    "text.overlap=16",
    "image.model=null",
    "fusion.kind=none",
    "training.epochs=3",
    "training.batch_size=8",
    "training.learning_rate=5e-4",
    "training.head_learning_rate=5e-3",
    "training.evaluations=1",
]


def show(event: ProgressEvent) -> None:
    """A progress callback: messages only. A notebook may draw a bar of `event.done` and `event.total`."""
    if event.message:
        print("  ", event.message)


# %% [markdown]
# ## A shop
#
# `catalog.jsonl` is the shop's own export, with blank cells; `test.jsonl` has products that the model will not see,
# labelled in full. `shop.yaml` says what blank cells look like and which words mean the same.

# %%
data = write_catalogue(DIRECTORY / "data", train=120, valid=4, test=12, images=False)
shop = attrex.Shop.load(data / "shop.yaml")
products = list(attrex.read_products(data / "catalog.jsonl", shop=shop))
products[0]  # a notebook draws it as a table

# %% [markdown]
# ## Labels from the table
#
# `locate` finds the table's values in the texts; `"mine"` first learns what the texts call them.

# %%
labelled = attrex.locate(products, DIRECTORY / "labelled.jsonl", shop=shop, lexicon="mine")
print(labelled.report.summary())

# %% [markdown]
# ## What to know before training

# %%
checked = attrex.check({"train": labelled}, shop=shop, preset=PRESET, photos=False)
for finding in checked.findings:
    print(f"{finding.severity}: {finding.what}")

# %% [markdown]
# ## Training
#
# Products without labels may be given as they are; here they are located already. A tenth is held out for validation.

# %%
model = attrex.train(
    labelled,
    directory=DIRECTORY / "model",
    shop=shop,
    config=PRESET,
    settings=SETTINGS,
    trackers=[],
    progress=show,
)

# %% [markdown]
# ## Reading new products
#
# `extract` takes a file, products, dicts with the shop's columns, or bare texts.

# %%
found = attrex.extract(model, data / "test.jsonl", DIRECTORY / "values.jsonl")
for prediction in list(found)[:3]:
    for value in prediction.values:
        where = value.source and f"{value.source.field}[{value.source.start}:{value.source.end}]"
        print(prediction.id, value.attribute, value.value, f"{value.confidence:.2f}", where)

# %%
rows = [{"id": "a1", "title": "Red suede ankle boots", "description": "Laced. Rubber sole."}]
print([(v.attribute, v.value) for p in attrex.extract(model, rows) for v in p.values])
texts = attrex.extract(model, ["Blue cotton shirt, long sleeves"], threshold=0.0)
texts  # noqa: B018 (a notebook draws the predictions)

# %% [markdown]
# ## Filling the table
#
# Blank cells are filled in the shop's own words, filled ones never change. `changes.csv` has every value and what
# became of it.

# %%
filling = attrex.fill(
    data / "test.jsonl",
    found,
    DIRECTORY / "filled.csv",
    changes=DIRECTORY / "changes.csv",
    model=DIRECTORY / "model",
    min_confidence=0.3,  # a model of 120 products is unsure; a real one deserves the default, 0.5
)
print(f"{filling.report.filled} blank cells filled")

# %% [markdown]
# ## How good it is

# %%
evaluation = attrex.evaluate(model, data / "test.jsonl", by_hand=True, bootstrap=100)
print(f"TAG-F1 {evaluation.scores.tag.f1:.3f} on {len(evaluation.products)} products labelled in full")

# %% [markdown]
# ## Looking at it

# %%
page = attrex.report(model, data / "test.jsonl", DIRECTORY / "report.html", title="A shop in a notebook")
(DIRECTORY / "texts.html").write_text(texts._repr_html_(), encoding="utf-8")
print("open", page)
for path in sorted(DIRECTORY.iterdir()):
    print("  ", path)
