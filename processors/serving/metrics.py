"""What a monitoring system is told, in the text format of Prometheus."""

from __future__ import annotations

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
HOLDS = (0.2, 0.5, 1, 2, 5, 10)
SECONDS = (1, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Traffic(NamedTuple):
    """Messages of one direction."""

    messages: Counter
    bytes: Counter

    def add(self, size: int) -> None:
        """One more message of so many bytes."""
        self.messages.inc()
        self.bytes.inc(size)


class Metrics:
    """Counters of one application."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.open = Gauge("live_pipeline_sessions_open", "Conversations now", registry=registry)
        self.waiting = Gauge(
            "live_pipeline_sessions_waiting", "Clients that wait for a place", registry=registry
        )
        self.limit = Gauge(
            "live_pipeline_sessions_limit", "Conversations at a time", registry=registry
        )
        self.ended = Counter(
            "live_pipeline_sessions_ended",
            "Conversations that are over",
            ["reason"],
            registry=registry,
        )
        self.refused = Counter(
            "live_pipeline_connections_refused", "Connections", ["reason"], registry=registry
        )
        self.resumed = Counter(
            "live_pipeline_sessions_resumed", "Clients that came back", registry=registry
        )
        messages = Counter(
            "live_pipeline_messages", "Over websockets", ["direction"], registry=registry
        )
        sizes = Counter(
            "live_pipeline_message_bytes", "Over websockets", ["direction"], registry=registry
        )
        self.received, self.sent = (
            Traffic(messages.labels(direction), sizes.labels(direction))
            for direction in ("in", "out")
        )
        self.turns = Counter("live_pipeline_turns", "Answers of the model", registry=registry)
        self.holds = Histogram(
            "live_pipeline_hold_seconds",
            "For how long processors have held up all others, told when a conversation is over",
            ["processor"],
            buckets=HOLDS,
            registry=registry,
        )
        self.seconds = Histogram(
            "live_pipeline_session_seconds",
            "Length of conversations",
            buckets=SECONDS,
            registry=registry,
        )

    def text(self) -> bytes:
        """All of them."""
        text: bytes = generate_latest(self._registry)
        return text
