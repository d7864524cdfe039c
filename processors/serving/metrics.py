"""What a monitoring system is told, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from processors.serving.places import State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
HOLDS = (0.2, 0.5, 1, 2, 5, 10)
WAY = ["direction"]
SECONDS = (1, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Traffic:
    """Messages of one direction. They are too many for a `Counter`, which has a lock."""

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0

    def add(self, size: int) -> None:
        """One more message of so many bytes."""
        self.messages += 1
        self.bytes += size


class _BothWays:
    def __init__(self, received: Traffic, sent: Traffic) -> None:
        self._ways = {"in": received, "out": sent}

    def collect(self) -> Iterator[Metric]:
        messages = CounterMetricFamily("live_pipeline_messages", "Over websockets", None, WAY)
        sizes = CounterMetricFamily("live_pipeline_message_bytes", "Over websockets", None, WAY)
        for way, traffic in self._ways.items():
            messages.add_metric([way], traffic.messages)
            sizes.add_metric([way], traffic.bytes)
        yield from (messages, sizes)


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
        self.relayed = Counter(
            "live_pipeline_connections_relayed", "To other processes", registry=registry
        )
        self.received, self.sent = Traffic(), Traffic()
        registry.register(_BothWays(self.received, self.sent))
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


class _Merged:
    """What several processes have told, with the name of each as a label."""

    def __init__(self, pages: Mapping[str, str], state: State) -> None:
        self._pages, self._state = pages, state

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for replica, text in self._pages.items():
            for family in text_string_to_metric_families(text):
                known = Metric(family.name, family.documentation, family.type)
                merged = families.setdefault(family.name, known)
                for sample in family.samples:
                    labels = {**sample.labels, "replica": replica}
                    merged.add_sample(sample.name, labels, sample.value)
        yield from families.values()
        for name, value in self._state._asdict().items():
            yield GaugeMetricFamily(f"live_pipeline_cluster_{name}", "Of all replicas", value)


def merged(pages: Mapping[str, str], state: State) -> bytes:
    """One page for several, each by the name of its process; and the places of all."""
    registry = CollectorRegistry()
    registry.register(_Merged(pages, state))
    text: bytes = generate_latest(registry)
    return text
