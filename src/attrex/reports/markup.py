"""HTML as values: elements that escape what is put into them, and the small ones that every part of the page uses."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

MAX_LABEL = 160  #: characters of a name, a value or a message that are shown
ORDINALS = ("1st", "2nd")


class Html(str):
    """Text that is HTML already. Every other string is escaped on its way into an element."""

    __slots__ = ()


def el(tag: str, /, *children: object, **attributes: object) -> Html:
    """One element. ``cls`` stands for ``class``, ``data_x`` for ``data-x``; None and False leave a part out."""
    head = tag
    for key, value in attributes.items():
        if value is not None and value is not False:
            head += f" {'class' if key == 'cls' else key.replace('_', '-')}"
            head += "" if value is True else f'="{escape(str(value))}"'
    return Html(f"<{head}>" if tag == "img" else f"<{head}>{join(children)}</{tag}>")


def join(children: Iterable[object]) -> Html:
    """Children one after the other; text is escaped, None and False are left out."""
    shown = (c for c in children if c is not None and c is not False)
    return Html("".join(c if isinstance(c, Html) else escape(str(c)) for c in shown))


def cut(text: str, limit: int = MAX_LABEL) -> str:
    """The text, or its first ``limit`` characters and how long it is."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def bdi(text: str) -> Html:
    """A piece of data whose writing direction does not disturb what stands around it."""
    return el("bdi", cut(text))


def ordinal(model: int) -> Html:
    """The badge of one of two models; ``model`` counts from 0."""
    return el("b", ORDINALS[model], cls="ordinal second" if model else "ordinal")


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it should be."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def bar(share: float | None, text: str = "") -> Html:
    """A share of 0..1 as a bar and as ``text`` (default: two decimals); None: there is no number."""
    if share is None:
        return el("span", "–", cls="measure")
    filled = el("i", style=f"width:{100 * min(max(share, 0), 1):.1f}%")
    return el("span", el("span", filled, cls="bar"), text or f"{share:.2f}", cls="measure")
