#!/usr/bin/env bash
# price-parser 0.5.1: a number before a euro price of two digits becomes the euros, and the price becomes the cents.
#
# One would guess: "Size 42 €30" costs 30 euros. At worst the first number is taken, and the price is 42, which is
#   what the library does with "Size 42 $30".
# What happens: the amount is 42.30. The library takes the euro sign between two numbers for a decimal separator.
#   So "Pack of 2 €15" costs 2.15. With a price of three digits, "Size 42 €300", there is no amount at all. The
#   number 42.30 stands nowhere in the text. No error, no warning.
# Why it matters: titles of shops and of price lists put a size, a count or a model number right before the price.
#   The result is a price of the usual form with the right currency, so a check of its form does not reject it.
# What to do: cut out the price with its sign first, and hand only this piece to the parser.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check price-parser==0.5.1

PYTHONIOENCODING=utf-8 "$work/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

from price_parser import Price

STATED = {
    "€30": "30",
    "Size M €30": "30",
    "Size 42 €30": "42.30",
    "Size 42 $30": "42",
    "Pack of 2 €15": "2.15",
    "Perfume No 5 €89": "5.89",
    "Size 42 €300": "None",
}

print("price-parser", version("price-parser"))
changed = False
for text, stated in STATED.items():
    price = Price.fromstring(text)
    print(f"{text!r}: amount {price.amount}, currency {price.currency}")
    changed |= str(price.amount) != stated

if changed:
    sys.exit("changed: this is not what the header states")
print("as stated: the number before the euro sign and the price behind it become one amount")
PY
