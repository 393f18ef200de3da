"""The service of a model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrex.errors import ConfigError

if TYPE_CHECKING:
    from attrex.server.settings import ServerSettings


def serve(model: str | Path, settings: ServerSettings | None = None, *, allow_code: Iterable[str | type] = ()) -> None:
    """Answer requests over HTTP with a model, until SIGTERM.

    :param model: a directory of a model or an export, or a hub name.
    :param settings: where it listens, who may ask, and what a request may cost.
    """
    run, defaults = _server()
    run(model, settings or defaults, tuple(allow_code))


def _server() -> tuple[Any, Any]:
    try:
        from attrex.server.run import run
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("attrex"):
            raise
        raise ConfigError(f"the service needs {exc.name}, which is not installed; pip install 'attrex[serve]'") from exc
    from attrex.server.settings import ServerSettings

    return run, ServerSettings()
