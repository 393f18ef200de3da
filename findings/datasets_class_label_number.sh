#!/usr/bin/env bash
# datasets 5.2.0: ClassLabel takes an unknown value that looks like a number for a position in its names.
#
# One would guess: a string that is none of the names is an error, as "XXL" is: "Invalid string class label XXL".
# What happens: with the names "2", "4", "6", the string "1" is no error. It is read as position 1 and comes back
#   as "4"; "0" comes back as "2". With the names "S", "M", "L", the string "2" comes back as "L". A value that is
#   both a name and a position, as "2" in the first list, is the name. No error, no warning.
# Why it matters: sizes, ages, volumes and ring sizes are numbers, kept as text. A shop that meets a size which its
#   list of values lacks gets another size of the list: in the training data, and in the table made from it. The
#   error that protects a column of words does not protect a column of numbers.
# What to do: compare the values with the names before the column becomes a ClassLabel.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HF_HOME="$work/home" HF_HUB_OFFLINE=1
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check datasets==5.2.0

"$work/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

from datasets import ClassLabel, Dataset, Features

# (names, sizes as text, the sizes that come back, or the error)
STATED = [
    (["2", "4", "6"], ["2", "4", "6"], ["2", "4", "6"]),
    (["2", "4", "6"], ["2", "1", "0"], ["2", "4", "2"]),
    (["S", "M", "L"], ["S", "2", "0"], ["S", "L", "S"]),
    (["S", "M", "L"], ["S", "XXL"], "ValueError: Invalid string class label XXL"),
    (["2", "4", "6"], ["2", "8"], "ValueError: Invalid string class label 8"),
]

print("datasets", version("datasets"))
changed = False
for names, sizes, stated in STATED:
    label = ClassLabel(names=names)
    try:
        table = Dataset.from_dict({"size": sizes}, features=Features({"size": label}))
        seen = label.int2str(list(table["size"]))
    except ValueError as error:
        seen = f"ValueError: {error}"
    print(f"names {names}, sizes {sizes}: {seen}")
    changed |= seen != stated

if changed:
    sys.exit("changed: this is not what the header states")
print("as stated: an unknown size that is a small number becomes the name at that position; any other is an error")
PY
