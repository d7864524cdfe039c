"""The fixture, as a project that knows nothing else of this one would use it."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CLIENT = """
import json
from websockets.sync.client import connect

def ask(server, text):
    with connect(server.url + "?key=any", proxy=None) as socket:
        config = {"responseModalities": ["TEXT"]}
        socket.send(json.dumps({"setup": {"model": "models/m", "generationConfig": config}}))
        assert "setupComplete" in json.loads(socket.recv())
        turn = {"role": "user", "parts": [{"text": text}]}
        socket.send(json.dumps({"clientContent": {"turns": [turn], "turnComplete": True}}))
        answer = ""
        while True:
            content = json.loads(socket.recv())["serverContent"]
            answer += "".join(p["text"] for p in content.get("modelTurn", {}).get("parts", []))
            if content.get("turnComplete"):
                return answer
"""
SCENARIO = """
turns:
  - expect: {text: open}
    then: [{say: Until nine.}]
  - expect: text
    then: [{say: Goodbye.}]
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]")
    Path(pytester.path, "shop.yaml").write_text(SCENARIO)
    return pytester


def outcome(project: pytest.Pytester, test: str) -> pytest.RunResult:
    project.makepyfile(CLIENT + test)
    return project.runpytest_inprocess("-p", "no:xdist", "-p", "no:cacheprovider")


def test_a_plain_test_talks_to_a_server(project: pytest.Pytester) -> None:
    result = outcome(
        project,
        """
def test_sum(local_live_api):
    assert "84" in ask(local_live_api(), "What is 12 times 7?")
""",
    )
    result.assert_outcomes(passed=1)


def test_servers_are_as_many_as_wanted_and_know_nothing_of_each_other(
    project: pytest.Pytester,
) -> None:
    result = outcome(
        project,
        """
def test_two(local_live_api):
    first, second = local_live_api(), local_live_api(backend="gemini-api")
    assert first.port != second.port
    ask(first, "My name is Ada.")
    assert "Ada" not in ask(second, "What is my name?")
""",
    )
    result.assert_outcomes(passed=1)


def test_what_the_client_did_otherwise_fails_the_test_at_the_line(
    project: pytest.Pytester,
) -> None:
    result = outcome(
        project,
        """
def test_shop(local_live_api):
    ask(local_live_api(scenario="shop.yaml"), "Where are you?")
""",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*the client did otherwise than the scenario expects:*",
            "*shop.yaml:3:5: *expected text with 'open', got 'Where are you[?]'*",
            "*shop.yaml:5:5: *never came: text*",
        ]
    )


def test_a_wrong_scenario_is_an_error_with_its_line(project: pytest.Pytester) -> None:
    Path(project.path, "shop.yaml").write_text("turns:\n  - expect: speech\n    den: []\n")
    result = outcome(
        project,
        """
def test_shop(local_live_api):
    local_live_api(scenario="shop.yaml")
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ConfigError: shop.yaml:*den*"])
