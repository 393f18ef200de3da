"""HTML in a shop's texts, blanked in place: as many characters as before, so that offsets stay those of the file."""

from __future__ import annotations

import re
from html import unescape
from html.entities import html5

from attrex.characters import IGNORABLE

_OLD_NAMES = "|".join(sorted((name for name in html5 if not name.endswith(";")), key=len, reverse=True))
_ENTITY = re.compile(
    r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});"
    rf"|&(?:#\d{{2,7}}(?!\d)|(?:{_OLD_NAMES})(?![a-z0-9=]))",
    re.IGNORECASE,
)
"""Browsers read numbers and the names of HTML 4 without a semicolon, too (HTML standard, 13.5); an address has =."""
_WITHIN_TAG = r"""(?:=\s*+"[^"]*+"|=\s*+'[^']*+'|[^<>])*+"""
"""What a tag holds: a > within quotes does not end it, a quote that is not closed is a character."""
_MARKUP = re.compile(
    rf"<!--.*?(?:-->|\Z)|<!\[CDATA\[|\]\]>|<[!?][a-z][^<>]*>"
    rf"|<(?P<unseen>script|style)\b{_WITHIN_TAG}>.*?(?:</(?P=unseen)\b[^<>]*>|\Z)"
    rf"|</?[a-z]{_WITHIN_TAG}>|</?[a-z][^<>]*>|{_ENTITY.pattern}",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>", re.IGNORECASE)
_NAME = re.compile(r"</?([a-z][a-z0-9]*)", re.IGNORECASE)
_BREAK = re.compile(r"[\r\n]")
_LINES = {
    *("address", "article", "blockquote", "br", "caption", "dd", "div", "dl", "dt", "figcaption", "footer", "h1", "h2"),
    *("h3", "h4", "h5", "h6", "header", "hr", "li", "ol", "option", "p", "pre", "section", "table", "tbody", "td"),
    *("tfoot", "th", "thead", "tr", "ul"),
}
"""Tags that begin or end a line: what stands in a table's two cells is then a heading and what stands under it."""
_JOINT = "\u00ad"
"""The soft hyphen: invisible within a word, for the tokenizers of BERT and for folding, too."""


def has_markup(text: str) -> bool:
    """Whether HTML tags stand in a text."""
    return _TAG.search(text) is not None


def has_entities(text: str) -> bool:
    """Whether HTML entities stand in a text."""
    return "&" in text and _ENTITY.search(text) is not None


def without_markup(text: str) -> str:
    """The text with its tags as spaces (a line's end where they end one) and its entities as the characters they mean.

    The length is the same. Where tags end lines, line breaks of the source do not. An entity is followed by spaces,
    within a word by soft hyphens: ``gr&uuml;n`` stays a word.
    """
    marks = list(_MARKUP.finditer(text))
    if any(map(_ends_line, marks)):  # then it is these that end lines, as in a browser
        text = _BREAK.sub(" ", text)
    pieces, at, begun = [], 0, False  # begun: something stands in the line
    for mark in marks:
        before = text[at : mark.start()]
        begun = begun or bool(before.strip())
        ends = begun and _ends_line(mark)
        read = _character(mark) if mark.group()[0] == "&" else " " * (len(mark.group()) - 1) + ("\n" if ends else " ")
        begun = not ends and (begun or not read.isspace())
        pieces += [before, read]
        at = mark.end()
    return "".join((*pieces, text[at:]))


def _ends_line(mark: re.Match[str]) -> bool:
    name = _NAME.match(mark.group())
    return name is not None and name[1].lower() in _LINES


def _character(entity: re.Match[str]) -> str:
    """What an entity means, and behind it what keeps its length."""
    found = entity.group()
    meant = unescape(found)
    if meant == found or len(meant) > len(found):  # no entity that is known
        return found
    if IGNORABLE.fullmatch(meant):  # invisible, and within a word no gap
        return _JOINT * len(found)
    if meant.isspace() or not meant.isprintable():
        return " " * len(found)
    text, end = entity.string, entity.end()
    following = _ENTITY.match(text, end)  # what comes next may be an entity, too
    after = unescape(following.group()) if following else text[end : end + 1]
    within_a_word = meant.isalnum() and after[:1].isalnum()
    return meant.ljust(len(found), _JOINT if within_a_word else " ")
