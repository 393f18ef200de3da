"""A service under load, from a process of its own, as the table of docs/serving.md:

    python benchmarks/serving.py MODEL products.jsonl
    python benchmarks/serving.py MODEL products.jsonl --only memory,company   # what needs no quiet machine

- `rate`: 32 clients that each wait for their answer, beside `attrex extract` of the same products in one process.
- `full`: the same clients, twice as many as the queue has places.
- `killed`: one of two workers is killed while they ask.
- `memory`: of the service, after 500 requests and after 20,000.
- `company`: every product asked alone, then by 32 clients at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from attrex.inference.extractor import Extractor
from attrex.io.readers import read_products
from attrex.tools.served import Served, served

PARTS = ("rate", "full", "killed", "memory", "company")
HEAD = "POST /v1/extract HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
Row = dict[str, Any]


def rows_of(data: str, limit: int) -> list[Row]:
    """Texts and categories of the first products."""
    found = islice((p for p in read_products(data) if not p.error), limit)
    return [{"id": p.id, **p.fields, "category": p.category} for p in found]


@dataclass
class Answers:
    """What clients got."""

    statuses: Counter[int] = field(default_factory=Counter)  #: 0: the connection ended without an answer
    seconds: list[float] = field(default_factory=list)  #: of each answer with values
    values: dict[str, Any] = field(default_factory=dict)  #: product -> what was found
    strange: int = 0  #: answers about another product, or with other values than before
    took: float = 0.0  #: seconds, all together

    def add(self, row: Row, status: int, body: bytes, seconds: float) -> None:
        self.statuses[status] += 1
        if status == 200:
            self.seconds.append(seconds)
            (result,) = json.loads(body)["results"]
            values = [[v["attribute"], v["value"], v["confidence"]] for v in result["values"]]
            self.strange += result["id"] != row["id"] or self.values.setdefault(row["id"], values) != values

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.took

    def times(self) -> str:
        return f"{1000 * median(self.seconds):.0f} ms, {1000 * quantiles(self.seconds, n=100)[98]:.0f} ms"


async def _client(port: int, rows: Iterator[Row], answers: Answers) -> None:
    """One that asks for a product, waits for the answer, and asks for the next: little work of its own."""
    writer = None
    for row in rows:
        content, started = json.dumps({"product": row}).encode(), time.monotonic()
        head = f"{HEAD}Content-Length: {len(content)}\r\n\r\n"
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode() + content)
            answer = await reader.readuntil(b"\r\n\r\n")
            lines = dict(line.partition(b":")[::2] for line in answer.split(b"\r\n"))
            body = await reader.readexactly(int(lines[b"content-length"]))
        except (OSError, asyncio.IncompleteReadError):
            answers.statuses[0] += 1
            writer = None
        else:
            answers.add(row, int(answer.split(b" ", 2)[1]), body, time.monotonic() - started)


async def _load(port: int, rows: list[Row], clients: int, requests: int) -> Answers:
    shared, answers, started = islice(cycle(rows), requests), Answers(), time.monotonic()
    await asyncio.gather(*(_client(port, shared, answers) for _ in range(clients)))
    answers.took = time.monotonic() - started
    return answers


def _run_load(port: int, rows: list[Row], clients: int, requests: int, pipe: Any) -> None:
    pipe.send(asyncio.run(_load(port, rows, clients, requests)))


def _in_process(model: str, rows: list[Row], pipe: Any) -> None:
    """Products a second of `extract`."""
    extractor = Extractor.load(model, deterministic=True)
    list(extractor.extract(rows[:50], evidence=False))
    started = time.monotonic()
    list(extractor.extract(rows, evidence=False))
    pipe.send(len(rows) / (time.monotonic() - started))


@dataclass
class Elsewhere:
    """A function at work in a process of its own."""

    work: Any
    arguments: tuple[Any, ...]

    def __post_init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.ours, theirs = context.Pipe()
        self.process = context.Process(target=self.work, args=(*self.arguments, theirs))
        self.process.start()

    def result(self) -> Any:
        found = self.ours.recv()
        self.process.join()
        return found


def loaded(service: Served, rows: list[Row], clients: int, requests: int) -> Answers:
    return Elsewhere(_run_load, (service.port, rows, clients, requests)).result()


def products_read(service: Served) -> int:
    """Products that went through the model, as the service counts them."""
    page = urllib.request.urlopen(f"{service.address}/metrics").read().decode()
    return int(float(next(s.split()[1] for s in page.splitlines() if s.startswith("attrex_products_total "))))


def memory(process: int) -> int:
    """Resident megabytes."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def show(what: str, found: str) -> None:
    print(f"| {what} | {found} |", flush=True)


def measure_rate(o: argparse.Namespace, rows: list[Row]) -> None:
    alone = Elsewhere(_in_process, (o.model, rows)).result()
    with served(o.model) as service:
        loaded(service, rows, 8, 100)
        found = loaded(service, rows, o.clients, o.requests)
        code = service.end()
    show("`attrex extract` in one process", f"{alone:.1f} products a second")
    show(f"{o.clients} clients, a product each", f"{found.rate:.1f} a second, {found.rate / alone:.0%} of that")
    show("their answers, median and 99th percentile", found.times())
    show("exit code after SIGTERM", str(code))


def measure_full(o: argparse.Namespace, rows: list[Row]) -> None:
    with served(o.model, "--queue", str(o.clients // 2), "--max-products", "1") as service:
        found = loaded(service, rows, o.clients, o.requests)
        read = products_read(service)
        service.end()
    lost = o.requests - found.statuses.total()
    counts = f"{found.statuses[200]} with values, {found.statuses[429]} told to come later (429), {lost} lost"
    others = found.statuses.total() - found.statuses[200] - found.statuses[429]
    show(f"{o.clients} clients, {o.clients // 2} places in the queue", f"{counts}, {others} others")
    show(
        "products read without an answer, answers of another product", f"{read - found.statuses[200]}, {found.strange}"
    )


def measure_killed(o: argparse.Namespace, rows: list[Row]) -> None:
    with served(o.model, "--workers", "2") as service:
        loaded(service, rows, o.clients, 100)
        asking = Elsewhere(_run_load, (service.port, rows, o.clients, o.requests))
        if not asking.ours.poll(o.kill_after):
            os.kill(service.workers[0], signal.SIGKILL)
        found = asking.result()
        code = service.end()
    counts = f"{found.statuses[200]} of {o.requests} with values, {found.statuses[0]} connections ended"
    others = found.statuses.total() - found.statuses[200] - found.statuses[0]
    show("one of two workers killed meanwhile", f"{counts}, {others} others, exit code {code}")


def measure_memory(o: argparse.Namespace, rows: list[Row]) -> None:
    with served(o.model) as service:
        loaded(service, rows, o.clients, 500)
        before = memory(service.process.pid)
        found = loaded(service, rows, o.clients, o.many)
        after = memory(service.process.pid)
        service.end()
    counts = f"{before} MB, {after} MB ({found.statuses[200]:,} with values)"
    show(f"memory after 500 requests, and after {o.many:,} more", counts)


def measure_company(o: argparse.Namespace, rows: list[Row]) -> None:
    with served(o.model) as service:
        alone = loaded(service, rows, 1, len(rows))
        among = loaded(service, rows, o.clients, 3 * len(rows))
        service.end()
    other, moved = 0, 0.0
    for name, values in alone.values.items():
        pairs = list(zip(values, among.values[name], strict=False))
        other += len(values) != len(among.values[name]) or any(a[:2] != b[:2] for a, b in pairs)
        moved = max([moved, *(abs(a[2] - b[2]) for a, b in pairs)])
    counts = f"{other} have other values; a confidence moves by {moved:.1g}"
    show(f"{len(alone.values)} products alone and under load", counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PARTS")
    parser.add_argument("--products", type=int, default=400)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--many", type=int, default=20_000, help="requests for memory")
    parser.add_argument("--kill-after", type=float, default=3.0, metavar="SECONDS")
    o = parser.parse_args()
    rows = rows_of(o.data, o.products)
    parts = {
        "rate": measure_rate,
        "full": measure_full,
        "killed": measure_killed,
        "memory": measure_memory,
        "company": measure_company,
    }
    print("| | |\n|---|---|")
    for name in o.only.split(","):
        parts[name](o, rows)


if __name__ == "__main__":
    main()
