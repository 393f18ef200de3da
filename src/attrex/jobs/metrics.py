"""A job's counts in Prometheus' text format, for a batch job whose file a node exporter or a push gateway reads.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from attrex.io.atomic import write_text

if TYPE_CHECKING:
    from attrex.jobs.job import JobResult


def write_metrics(path: Path, result: JobResult, left: int, begun: int | None = None) -> None:
    """Replace the file by a job's counts as they are now.

    :param left: shards that were to be run in this run.
    :param begun: rows that were finished before this run; None: the run has ended.
    """
    finished = result.shards - left
    rate = 0.0 if begun is None or not result.seconds else (result.rows - begun) / result.seconds
    rows = [
        ("attrex_rows_total", "counter", "Products in finished shards.", result.rows),
        ("attrex_bad_rows_total", "counter", "Of these, those that cannot be read.", result.tally.unreadable),
        ("attrex_values_total", "counter", "Values found.", result.values),
        ("attrex_filled_cells_total", "counter", "Blank cells filled.", result.filled),
        ("attrex_shards", "gauge", "Shards of this share of the job.", result.shards),
        ("attrex_shards_skipped", "gauge", "Shards that an earlier run has finished.", finished),
        ("attrex_shards_failed", "gauge", "Shards that could not be finished.", len(result.failed)),
        ("attrex_run_seconds", "gauge", "Seconds of this run.", round(result.seconds, 3)),
        ("attrex_rows_per_second", "gauge", "Products a second in this run; 0 when it has ended.", round(rate, 3)),
        ("attrex_running", "gauge", "1 while the job runs.", int(begun is not None)),
        ("attrex_last_update_timestamp_seconds", "gauge", "When this was written.", round(time.time(), 3)),
    ]
    lines = [f"# HELP {name} {text}\n# TYPE {name} {kind}\n{name} {value}\n" for name, kind, text, value in rows]
    write_text(path, "".join(lines))
