#!/usr/bin/env bash
# pyahocorasick 2.3.1: iter_long() loses a listed value once a longer value of the list begins and does not end there.
#
# One would guess: Automaton.iter_long() yields the longest matches that do not overlap. A word of the list that
#   stands in the text is found, alone or within a longer match.
# What happens: the list has "gold" and "rose gold plated". In "ring, rose gold" the text ends while the longer
#   phrase is still possible, and iter_long() yields nothing: "gold" is lost. With one more character behind it,
#   "ring, rose gold.", "gold" is found. With a third value, "18k rose gold chain", it is lost in the middle of
#   "18k rose gold ring" too. iter() finds it in each of them. No error, no warning.
# Why it matters: a tool that looks up the known values of an attribute in product titles wants the longest ones,
#   so it calls iter_long(). Titles often end in the color or the material, without a full stop. The value stays
#   empty, and only where some other value of the list continues the same words: a longer list finds less.
# What to do: call iter(), which loses none of these, and choose the longest matches yourself.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check pyahocorasick==2.3.1

"$work/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import ahocorasick

# (values of the list, title, what iter_long() yields, what iter() yields)
STATED = [
    (["gold"], "ring, rose gold", ["gold"], ["gold"]),
    (["gold", "rose gold plated"], "ring, rose gold", [], ["gold"]),
    (["gold", "rose gold plated"], "ring, rose gold.", ["gold"], ["gold"]),
    (["gold", "rose gold plated"], "rose gold plated ring", ["rose gold plated"], ["gold", "rose gold plated"]),
    (["gold", "rose gold plated", "18k rose gold chain"], "18k rose gold ring", [], ["gold"]),
    (["cotton", "organic cotton twill"], "T-shirt, organic cotton", [], ["cotton"]),
]

print("pyahocorasick", version("pyahocorasick"))
changed = False
for values, title, long_stated, all_stated in STATED:
    automaton = ahocorasick.Automaton()
    for value in values:
        automaton.add_word(value, value)
    automaton.make_automaton()
    long_seen = [value for _, value in automaton.iter_long(title)]
    all_seen = [value for _, value in automaton.iter(title)]
    print(f"list {values}, title {title!r}: iter_long() {long_seen}, iter() {all_seen}")
    changed |= long_seen != long_stated or all_seen != all_stated

if changed:
    sys.exit("changed: this is not what the header states")
print("as stated: iter_long() loses a value where a longer value of the list begins before it and stays incomplete")
PY
