"""What the server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .usage import Usage

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Meters:
    """Those of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        within = self._registry
        self.requests = Counter(
            "sysgraph_requests", "Answers by route and status", ["route", "status"], registry=within
        )
        self.seconds = Histogram(
            "sysgraph_answer_seconds",
            "From a chat completion's request to its answer's end",
            registry=within,
            buckets=_SECONDS,
        )
        self.batches = Histogram(
            "sysgraph_batch_answers", "Answers sampled together", registry=within, buckets=_ROWS
        )
        self.waiting = Gauge(
            "sysgraph_waiting_requests", "Requests that wait for their turn", registry=within
        )
        self.given_up = Counter(
            "sysgraph_given_up_requests",
            "Requests whose client went away or whose time was over",
            registry=within,
        )
        self._tokens = Counter(
            "sysgraph_tokens", "Tokens by model", ["model", "direction"], registry=within
        )

    def count(self, usage: Usage) -> None:
        """Adds the tokens of an answer."""
        for direction, tokens in (("read", usage.read), ("written", usage.written)):
            for model, number in tokens.items():
                self._tokens.labels(model, direction).inc(number)

    def text(self) -> bytes:
        """All of them, in Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)
