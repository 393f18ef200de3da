"""Products by standard input, what was found by standard output: JSON lines both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from attrex.io.bad_rows import RowTally
from attrex.io.confinement import PhotoFolders
from attrex.io.files import json_lines
from attrex.io.readers import warn_of_duplicates
from attrex.io.remote import is_remote
from attrex.io.remote_photos import RemotePhotos
from attrex.io.rows import to_product
from attrex.jobs.rows import json_row
from attrex.jobs.task import ShardRunner, Task
from attrex.shop.shop import Shop
from attrex.types import Product

INPUT = "standard input"


def run_pipe(
    task: Task, shop: Shop, read: BinaryIO, write: BinaryIO, *, images: str | Path | None, allow_outside: bool = False
) -> RowTally:
    """A row of JSON for each line that is read, in order; a line that cannot be read gives a marked row.

    :param images: where photos are, a folder or an address; None: the working directory.
    """
    runner: ShardRunner = task.load()
    photos, tally = PhotoFolders([Path(images or "")], not allow_outside, INPUT), RowTally()
    if is_remote(images):
        photos = replace(RemotePhotos.below(str(images), INPUT), fetched=task.how.photos)

    def products() -> Iterator[Product]:
        for row in json_lines(INPUT, read):
            yield tally.add(to_product(row, shop, photos))

    for filled, prediction in runner.rows(warn_of_duplicates(products())):
        line = json.dumps(json_row(filled, prediction), ensure_ascii=False) + "\n"
        write.write(line.encode("utf-8", "backslashreplace"))
    write.flush()
    return tally
