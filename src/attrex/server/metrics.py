"""What Prometheus reads, of all worker processes together where there are several."""

from __future__ import annotations

import os
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the directory of several processes' figures; read when prometheus_client is imported."""
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
PRODUCTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass
class Metrics:
    """The figures of a process."""

    def __post_init__(self) -> None:
        own = self.registry = CollectorRegistry()
        self.requests = Counter("attrex_requests_total", "Requests answered.", ["path", "status"], registry=own)
        self.seconds = Histogram(
            "attrex_request_seconds", "From header to last byte.", ["path"], buckets=SECONDS, registry=own
        )
        self.products = Counter("attrex_products_total", "Products that went through the model.", registry=own)
        self.batch = Histogram("attrex_batch_products", "Products of a batch.", buckets=PRODUCTS, registry=own)
        self.batch_seconds = Histogram("attrex_batch_seconds", "Time of a batch.", buckets=SECONDS, registry=own)
        self.waiting = Gauge(
            "attrex_waiting_products",
            "Products that hold a place in the queue.",
            registry=own,
            multiprocess_mode="livesum",
        )
        self.reloads = Counter("attrex_reloads_total", "Models loaded while running.", ["outcome"], registry=own)

    def batched(self, products: int, seconds: float) -> None:
        self.products.inc(products)
        self.batch.observe(products)
        self.batch_seconds.observe(seconds)

    def page(self) -> bytes:
        if SHARED not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        return generate_latest(together)
