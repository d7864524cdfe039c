"""What a monitoring system is told, in the text format of Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (1, 10, 30, 60, 120, 300, 600, 1800, 3600)


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
        self.messages = Counter(
            "live_pipeline_messages", "Over websockets", ["direction"], registry=registry
        )
        self.bytes = Counter(
            "live_pipeline_message_bytes", "Over websockets", ["direction"], registry=registry
        )
        self.turns = Counter("live_pipeline_turns", "Answers of the model", registry=registry)
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
