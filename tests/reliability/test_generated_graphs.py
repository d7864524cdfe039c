"""Every frame is delivered, dropped with a counted reason, or dead-lettered; nothing deadlocks."""

import anyio
import pytest
from hypothesis import HealthCheck, given, settings

from pipeline import ProcessorFailure, Run
from pipeline.testing import VirtualTimeLoop
from tests.reliability.generated_graphs import Generated, graphs

QUIET = list(HealthCheck)


def account(made: Generated) -> None:
    """Run a graph to its end and check the account."""
    graph = made.build()

    async def execute() -> tuple[Run, bool]:
        run = Run(graph)
        with anyio.fail_after(1e6):  # nothing takes so long: it would be a deadlock
            try:
                await run.execute()
            except ProcessorFailure as failure:
                policy = made.supervision[failure.processor].policy
                assert "stop" in (policy.do, policy.then if policy.do == "restart" else "")
                return run, False
        assert run.report.completed
        return run, True

    run, ended_well = anyio.run(execute, backend_options={"loop_factory": VirtualTimeLoop})
    made.check(run.report, ended_well=ended_well)


@settings(max_examples=100, suppress_health_check=QUIET)
@given(made=graphs())
def test_the_account_of_any_graph_is_exact(made: Generated) -> None:
    account(made)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=1000, suppress_health_check=QUIET)
@given(made=graphs())
def test_the_account_of_a_thousand_graphs_is_exact(made: Generated) -> None:
    account(made)
