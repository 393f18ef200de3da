"""The service's log: an object a line. No text of a product is in it, unless that is asked for."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

log = logging.getLogger("attrex.server")


def tell(event: str, level: int = logging.INFO, **facts: Any) -> None:
    """One line of the log."""
    log.log(level, event, extra={"facts": facts})


class JsonLines(logging.Formatter):
    """A record as a JSON object. Of an unforeseen error it says where it was raised.

    :param texts: also its message, which may quote what was asked.
    """

    def __init__(self, texts: bool = False) -> None:
        super().__init__()
        self.texts = texts

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": when,
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "process": record.process,
        }
        line |= getattr(record, "facts", {})
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            frames = traceback.extract_tb(error.__traceback__)
            line["error"] = type(error).__name__
            line["at"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
            if self.texts:
                line["message"] = str(error)
        return json.dumps(line, default=str)


def start_log(texts: bool = False) -> None:
    """Write the log to standard error, that of uvicorn from its warnings on, too."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(texts))
    for name, level in (("attrex.server", logging.INFO), ("uvicorn", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
