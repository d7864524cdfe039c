"""Functions that requests ask for."""

import pytest

from processors.local_live_api.rules.abilities import Function
from processors.local_live_api.rules.choosing import best, clauses

QUERY = {"properties": {"query": {"type": "string"}}}
TITLE = {"properties": {"title": {"type": "string"}}}
MODE = {"properties": {"mode": {"type": "string", "enum": ["party", "sleep"]}}}
FUNCTIONS = [
    Function("getWeather", "Weather now", {"properties": {"city": {"type": "STRING"}}}),
    Function("play_music", "Plays a song or an album.", TITLE),
    Function("send_email", "Sends an e-mail to somebody.", QUERY),
    Function("end_call", "Ends the call when the user says goodbye."),
    Function("hang_up"),
    Function("home.scene", "Chooses a scene for the lamps at home.", MODE),
    Function("lookup", "Finds the opening hours of a shop or museum.", QUERY),
    Function("create_reminder", "Creates a reminder"),
    Function("door_open"),
    Function("door_close"),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Will it rain in Rome? Is the weather bad?", "getWeather"),
        ("Is it cold in Oslo?", "getWeather"),
        ("Play Bohemian Rhapsody", "play_music"),
        ("play some jazz songs", "play_music"),
        ("Please send my boss an email", "send_email"),
        ("End this call, please", "end_call"),
        ("hang up", "hang_up"),
        ("Set the scene to party", "home.scene"),
        ("What are the opening hours of the museum?", "lookup"),
        ("Remind me to buy milk", "create_reminder"),
        ("Open the door", "door_open"),
        ("Close the door", "door_close"),
        ("Let's play chess", None),
        ("Send a hug", None),
        ("I call her often", None),
        ("Are you cold?", None),
        ("", None),
    ],
)
def test_the_best_function(text: str, expected: str | None) -> None:
    found = best(text, FUNCTIONS)
    assert (found and found.name) == expected


def test_without_functions_there_is_none() -> None:
    assert best("What is the weather?", []) is None


def test_little_words_turn_the_clause_before_around() -> None:
    switch = [Function("fan_on"), Function("fan_off")]
    text = "Switch the fan in the hall on, wait and then back off again, please."
    found = [(part.text, part.function and part.function.name) for part in clauses(text, switch)]
    assert found[0] == ("Switch the fan in the hall on, wait", "fan_on")
    assert found[1][1] == "fan_off"
    assert [part.function for part in clauses("off again", switch[:1])] == [None]


def test_clauses_are_requests_of_their_own() -> None:
    text = "Open the door, then play jazz songs and the weather in Rome and Oslo. Thanks!"
    found = [(part.text, part.function and part.function.name) for part in clauses(text, FUNCTIONS)]
    assert found == [
        ("Open the door", "door_open"),
        ("play jazz songs", "play_music"),
        ("the weather in Rome and Oslo. Thanks!", "getWeather"),
    ]
