"""Whatever a run is doing, and however it is told to stop: it is over in time."""

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import ProcessorFailure, Run
from pipeline.testing import VirtualTimeLoop
from tests.reliability.generated_graphs import Generated, graphs

DRAIN_S = 2.0
WAYS = {
    "finish": DRAIN_S + 1,
    "cancel": 1.0,
    "finish, then cancel": 1.5,
    "cancelled scope": 1.0,
    "finish, then a cancelled scope": DRAIN_S + 1,
}
"""How a run is stopped, and how many seconds later it is gone at the latest."""


def stop(made: Generated, way: str, after: float) -> None:
    graph = made.build()

    async def execute() -> tuple[Run, float]:
        run = Run(graph, drain_seconds=DRAIN_S)
        stopped_at = 0.0
        scope = anyio.CancelScope()

        async def stopper() -> None:
            nonlocal stopped_at
            await anyio.sleep(after)
            stopped_at = anyio.current_time()
            if way.startswith("finish"):
                run.finish()
                await anyio.sleep(0.5)
            if way.endswith("scope"):
                scope.cancel()
            elif way.endswith("cancel"):
                run.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(stopper)
            with anyio.fail_after(1e6), scope:
                try:
                    await run.execute()
                except ProcessorFailure:
                    assert "stop" in str(made.supervision)
            took = anyio.current_time() - stopped_at if stopped_at else 0.0
            group.cancel_scope.cancel()
        return run, took

    run, took = anyio.run(execute, backend_options={"loop_factory": VirtualTimeLoop})
    assert took <= WAYS[way] + 1e-6, took
    made.check(run.report, ended_well=False)


CASES = {
    "made": graphs(endless=True),
    "way": st.sampled_from(sorted(WAYS)),
    "after": st.floats(0.0, 3.0).map(lambda seconds: round(seconds, 2)),
}


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(**CASES)
def test_any_graph_in_any_state_ends(made: Generated, way: str, after: float) -> None:
    stop(made, way, after)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=1000, suppress_health_check=list(HealthCheck))
@given(**CASES)
def test_a_thousand_graphs_end(made: Generated, way: str, after: float) -> None:
    stop(made, way, after)
