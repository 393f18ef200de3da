#!/usr/bin/env bash
# label-studio-sdk 2.1.2: in its CoNLL export two emoji before a label move it over the next word, four off its own.
#
# One would guess: a span that a person has marked in Label Studio gets its label on the same words in the exports
#   that the package makes of it.
# What happens: the page counts offsets as JavaScript does, where an emoji is two; the region says its words, "red",
#   beside them. The converter slices the text as Python does, where an emoji is one, and does not look at the words.
#   After two emoji "cap" in "red cap" is marked, too; after four it is marked alone, and "red" is outside. Of two
#   spans that overlap, the second one begins where the first one ends. No error, no warning.
# Why it matters: titles of shops and social texts have emoji. The file is well-formed, so that a model is trained on
#   the wrong words.
# What to do: export JSON, and find each region's words at offsets counted in UTF-16 units.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check label-studio-sdk==2.1.2

PYTHONIOENCODING=utf-8 "$work/venv/bin/python" - "$work" <<'PY'
import json
import sys
from importlib.metadata import version
from pathlib import Path

from label_studio_sdk.converter import Converter

CONFIG = (
    '<View><Text name="text" value="$text"/><Labels name="label" toName="text">'
    '<Label value="Color"/><Label value="Part"/></Labels></View>'
)
STATED = {
    "red cap": "red B-Color, cap O",
    "🎸 red cap": "🎸 O, red B-Color, cap O",
    "🎸🎸 red cap": "🎸🎸 O, red B-Color, cap I-Color",
    "🎸🎸🎸🎸 red cap": "🎸🎸🎸🎸 O, red O, cap B-Color",
    "red-brown cap": "red-brown B-Color, cap B-Part",  # Color on the first word, Part on both
}


def units(text):
    return len(text.encode("utf-16-le")) // 2


def region(text, words, label):
    start = units(text[: text.index(words)])
    value = {"start": start, "end": start + units(words), "text": words, "labels": [label]}
    return {"from_name": "label", "to_name": "text", "type": "labels", "value": value}


def tags(text, work):
    regions = [region(text, text.split()[-2], "Color")]
    if "brown" in text:
        regions.append(region(text, text, "Part"))
    task = {"id": 1, "data": {"text": text}, "annotations": [{"id": 1, "result": regions}]}
    (work / "tasks.json").write_text(json.dumps([task]), encoding="utf-8")
    Converter(CONFIG, project_dir=None).convert_to_conll2003(str(work / "tasks.json"), str(work), is_dir=False)
    lines = (work / "result.conll").read_text(encoding="utf-8").splitlines()[1:]
    return ", ".join(f"{line.split()[0]} {line.split()[-1]}" for line in lines if line.strip())


print("label-studio-sdk", version("label-studio-sdk"))
changed = False
for text, stated in STATED.items():
    found = tags(text, Path(sys.argv[1]))
    print(f"{text!r}: {found}")
    changed |= found != stated

if changed:
    sys.exit("changed: this is not what the header states")
print("as stated: the label moves with the emoji before it")
PY
