"""A service under load: its rate beside that of one process, times of answers, twice the load that its queue holds.

python benchmarks/serving.py MODEL products.jsonl --clients 32 --requests 2000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

from attrex.inference.extractor import Extractor
from attrex.io.readers import read_products


def rows_of(data: str, limit: int) -> list[dict[str, Any]]:
    """Texts and categories of the first products."""
    found = islice((p for p in read_products(data) if not p.error), limit)
    return [{"id": p.id, **p.fields, "category": p.category} for p in found]


def in_process(model: str, rows: list[dict[str, Any]], pipe: Any) -> None:
    """Products a second of `extract`, and what is found in each."""
    extractor = Extractor.load(model, deterministic=True)
    list(extractor.extract(rows[:50], evidence=False))
    started = time.monotonic()
    found = list(extractor.extract(rows, evidence=False))
    seconds = time.monotonic() - started
    pipe.send((len(rows) / seconds, {p.id: answer(p.to_json()) for p in found}))


def answer(row: dict[str, Any]) -> list[Any]:
    return [[v["attribute"], v["value"], round(v["confidence"], 2)] for v in row["values"]]


def start(model: str, port: int, *options: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-c",
        "from attrex.cli import main; main()",
        "serve",
        model,
        "--port",
        str(port),
        *options,
    ]
    service = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 600
    while time.monotonic() < until:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200:
                return service
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit("the service did not start")


async def load(port: int, rows: list[dict[str, Any]], clients: int, requests: int) -> dict[str, Any]:
    """So many requests of one product each, by so many clients that each wait for their answer."""
    products = islice(cycle(rows), requests)
    times: list[float] = []
    statuses: dict[int, int] = {}
    found: list[tuple[str, Any]] = []
    limits = httpx.Limits(max_connections=clients)

    async def one(client: httpx.AsyncClient) -> None:
        for row in products:
            started = time.monotonic()
            response = await client.post("/v1/extract", json={"product": row})
            statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
            if response.status_code == 200:
                times.append(time.monotonic() - started)
                (result,) = response.json()["results"]
                found.append((row["id"], result))

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=120, limits=limits) as client:
        started = time.monotonic()
        await asyncio.gather(*(one(client) for _ in range(clients)))
        seconds = time.monotonic() - started
    wrong = sum(asked != result["id"] for asked, result in found)
    answers = {asked: answer(result) for asked, result in found}
    return {
        "rate": len(times) / seconds,
        "p50": median(times) if times else None,
        "p99": quantiles(times, n=100)[98] if len(times) > 1 else None,
        "statuses": statuses,
        "not their own": wrong,
        "answers": answers,
    }


def run_load(port: int, rows: list[dict[str, Any]], clients: int, requests: int, pipe: Any) -> None:
    pipe.send(asyncio.run(load(port, rows, clients, requests)))


def elsewhere(work: Any, *arguments: Any) -> Any:
    """What a function sends, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(*arguments, theirs))
    process.start()
    found = ours.recv()
    process.join()
    return found


def memory(process: int) -> int:
    """Resident megabytes."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--products", type=int, default=400)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=2000)
    arguments = parser.parse_args()
    rows = rows_of(arguments.data, arguments.products)
    rate, alone = elsewhere(in_process, arguments.model, rows)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    report: dict[str, Any] = {"in process, products a second": round(rate, 1)}
    service = start(arguments.model, port)
    try:
        elsewhere(run_load, port, rows, 8, 100)
        before = memory(service.pid)
        under = elsewhere(run_load, port, rows, arguments.clients, arguments.requests)
        answers = under.pop("answers")
        report["under load"] = under
        report["share of the rate in process"] = round(under["rate"] / rate, 3)
        report["other answers than alone"] = sum(answers[name] != alone[name] for name in answers)
        report["memory before and after, MB"] = [before, memory(service.pid)]
    finally:
        service.send_signal(signal.SIGTERM)
        report["exit code after SIGTERM"] = service.wait(90)
    small = max(1, arguments.clients // 2)
    service = start(arguments.model, port, "--queue", str(small), "--max-products", "1")
    try:
        twice = elsewhere(run_load, port, rows, arguments.clients, arguments.requests)
        twice.pop("answers")
        report["twice what the queue holds"] = twice
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(90)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
