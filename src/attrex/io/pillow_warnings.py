"""Pillow's warnings as text, thread by thread: they belong to a photo, and its product should carry them."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Hearing:
    """Takes over ``warnings.showwarning`` while any thread listens.

    ``warnings.catch_warnings`` is one for all threads; which of them a warning comes from is known here.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._caught: Any = None
        self._own = threading.local()

    @contextmanager
    def listen(self) -> Iterator[list[str]]:
        """The warnings of this thread, each once, in a list that fills."""
        told: list[str] = []
        before = getattr(self._own, "told", None)
        self._begin()
        self._own.told = told
        try:
            yield told
        finally:
            self._own.told = before
            self._end()

    def _begin(self) -> None:
        with self._lock:
            self._threads += 1
            if self._threads > 1:
                return
            self._caught = warnings.catch_warnings()
            self._caught.__enter__()
            warnings.filterwarnings("always", module=r"PIL\b")
            show = warnings.showwarning

            def shown(message: Any, category: Any, filename: str, lineno: int, *more: Any, **named: Any) -> None:
                told = getattr(self._own, "told", None)
                if told is None:
                    show(message, category, filename, lineno, *more, **named)
                elif (text := " ".join(str(message).split())) not in told:
                    told.append(text)

            warnings.showwarning = shown

    def _end(self) -> None:
        with self._lock:
            self._threads -= 1
            if not self._threads:
                self._caught.__exit__(None, None, None)


pillow_warnings = _Hearing().listen
