"""Prometheus metrics: requests as they happen, queue and jobs as they are at the moment of a scrape."""

import os
import time
from collections.abc import Iterable, Mapping

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


class Metrics:
    """Counters of one application; with several gunicorn processes they meet in PROMETHEUS_MULTIPROC_DIR."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "http_request_seconds",
            "Seconds from the headers to the answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def register(self, app: Flask) -> None:
        """Count every answer by its rule; paths of a client's making would be endless labels."""
        app.after_request(self._count)

    def _count(self, answer: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "unmatched"
        method = request.method if request.method in _METHODS else "other"
        self._requests.labels(method, route, str(answer.status_code)).inc()
        if "started" in g:
            self._seconds.labels(route).observe(time.perf_counter() - g.started)
        return answer

    def exposition(
        self,
        queues: Mapping[str, int | None],
        rows: Mapping[str, Mapping[str, int]],
        workers: Iterable[str],
    ) -> bytes:
        """The text format, with gauges that are set now: None (Redis gone) leaves a queue out.

        `rows`: of each table, how many are in each status.
        """
        registry = CollectorRegistry()
        length = Gauge("queue_messages", "Messages that wait for a worker.", ("queue",), registry=registry)
        for queue, waiting in queues.items():
            if waiting is not None:
                length.labels(queue).set(waiting)
        for table, counts in rows.items():
            gauge = Gauge(table, f"Rows of {table} that are kept.", ("status",), registry=registry)
            for status, count in counts.items():
                gauge.labels(status).set(count)
        seen = Gauge("workers_seen", "Workers seen lately.", ("queue",), registry=registry)
        for queue in workers:
            seen.labels(queue).inc()
        return generate_latest(self._source()) + generate_latest(registry)

    def _source(self) -> CollectorRegistry:
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return self._registry
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)
        return together
