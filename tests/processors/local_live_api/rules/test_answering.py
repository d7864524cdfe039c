"""Turns of the simulated model: requests as people make them, and what comes of them."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.local_live_api.history import Answered, Called, Entry, Heard, Said
from processors.local_live_api.rules import Abilities, Function, answer
from processors.local_live_api.steps import Step

STRING = {"type": "STRING"}
PLACE = {"type": "OBJECT", "properties": {"location": STRING}, "required": ["location"]}
ROOM = {
    "type": "object",
    "properties": {"room": {"type": "string"}, "on": {"type": "boolean"}},
    "required": ["room", "on"],
}
WEATHER = Function("get_current_weather", "Get the current weather in a given location", PLACE)
TIME = Function("get_time", "The time in a city", PLACE)
LIGHTS_ON = Function("turn_on_the_lights")
LIGHTS_OFF = Function("turn_off_the_lights")
LIGHT = Function("set_room_light", "Turn a light in a room on or off", ROOM)
HOME = (WEATHER, TIME, LIGHTS_ON, LIGHTS_OFF)
THREE_THINGS = """Hey, I need you to do three things for me.

    1.  Turn on the lights.
    2.  Then compute the largest prime palindrome under 100000.
    3.  Then use Google Search to look up the largest earthquake in California.

  Thanks!"""


def turn(*history: Entry | str, functions: tuple[Function, ...] = (), **more: Any) -> list[Step]:
    """What follows from a history; strings are typed."""
    entries = [Heard(entry) if isinstance(entry, str) else entry for entry in history]
    return answer(entries, Abilities(functions=functions, **more))


def said(*history: Entry | str, **more: Any) -> str:
    """The words of a turn in which nothing but talking happens."""
    (step,) = turn(*history, **more)
    assert step.say is not None
    return step.say


def called(*history: Entry | str, functions: tuple[Function, ...] = HOME) -> list[Any]:
    steps = turn(*history, functions=functions)
    return [(call.name, *call.args.values()) for step in steps for call in step.calls]


def kinds(steps: list[Step]) -> list[str]:
    return [step.kind for step in steps]


# --- functions ---


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("What is the weather in New York, London and Tokyo?", ["New York", "London", "Tokyo"]),
        (
            "Get the current weather in Boston, New York, and San Francisco",
            ["Boston", "New York", "San Francisco"],
        ),
        ("What will the weather be like in Lisbon this weekend?", ["Lisbon"]),
        ("Do I need an umbrella in Rio de Janeiro?", ["Rio de Janeiro"]),
        ("what is the weather in new york and tokyo", ["new york", "tokyo"]),
        ("What's the weather?", ["London"]),
    ],
)
def test_every_place_is_a_call(request_: str, expected: list[str]) -> None:
    assert called(request_) == [("get_current_weather", place) for place in expected]
    (step,) = turn(request_, functions=HOME)
    assert len(step.calls) == len(expected)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("Turn on the lights please", [("turn_on_the_lights",)]),
        ("Could you turn off the lights?", [("turn_off_the_lights",)]),
        ("What time is it in Lisbon?", [("get_time", "Lisbon")]),
        (
            "Turn on the lights in the kitchen and get the weather in Rome",
            [("turn_on_the_lights",), ("get_current_weather", "Rome")],
        ),
        (
            "Get the weather in Rome and the time in Paris.",
            [("get_current_weather", "Rome"), ("get_time", "Paris")],
        ),
    ],
)
def test_functions_are_called_for_what_is_asked(request_: str, expected: list[Any]) -> None:
    assert called(request_) == expected


@pytest.mark.parametrize(
    "request_",
    [
        "Hello",
        "How are you?",
        "Thank you!",
        "Can you say that one more time?",
        "What is the speed of light?",
        "Tell me a story about the weather",
        "Who is Ada Lovelace?",
        "Let's play chess in Berlin",
        "",
        "\u4f60\u597d",
    ],
)
def test_small_talk_calls_nothing(request_: str) -> None:
    assert called(request_) == []


def test_one_function_can_be_called_with_different_arguments() -> None:
    request = "Turn on the light in the kitchen and turn off the light in the bedroom"
    assert called(request, functions=(LIGHT,)) == [
        ("set_room_light", "kitchen", True),
        ("set_room_light", "bedroom", False),
    ]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("make it dark", ["off"]),
        ("Lights out!", ["off"]),
        ("It's too dark", ["on"]),
        ("Turn the lights on, then off again", ["on", "off"]),
        ("turn the lights off and then on again", ["off", "on"]),
        ("Turn on the lights and turn them off again.", ["on", "off"]),
        ("Turn the lights on. Now off. And on again!", ["on", "off", "on"]),
        ("Turn on the lights! Turn on the lights!", ["on"]),
    ],
)
def test_light_and_dark_in_order(request_: str, expected: list[str]) -> None:
    lights = (LIGHTS_ON, LIGHTS_OFF)
    assert called(request_, functions=lights) == [(f"turn_{way}_the_lights",) for way in expected]


def test_what_is_done_and_undone_has_the_same_place() -> None:
    assert called("Turn the light in the kitchen on, then off again", functions=(LIGHT,)) == [
        ("set_room_light", "kitchen", True),
        ("set_room_light", "kitchen", False),
    ]


def test_results_are_spoken_and_not_asked_for_again() -> None:
    text = said(
        "Weather in Rome and Oslo?",
        Called("1", WEATHER.name, {"location": "Rome"}),
        Called("2", WEATHER.name, {"location": "Oslo"}),
        Answered("2", WEATHER.name, {"error": "no such city"}),
        Answered("1", WEATHER.name, {"output": {"sky": "sunny", "high": 26}}),
        functions=HOME,
    )
    assert "Rome: sky sunny and high 26" in text
    assert "Oslo failed: no such city" in text


def test_calls_without_ids_find_their_arguments() -> None:
    text = said(
        "Weather in Rome and Oslo?",
        Called("", WEATHER.name, {"location": "Rome"}),
        Called("", WEATHER.name, {"location": "Oslo"}),
        Answered("", WEATHER.name, {"output": "rain"}),
        Answered("", WEATHER.name, {"output": "snow"}),
        functions=HOME,
    )
    assert "Rome: rain" in text
    assert "Oslo: snow" in text


def test_the_next_place_is_asked_for_like_the_last() -> None:
    earlier = (
        "What is the weather in Lisbon?",
        Called("1", WEATHER.name, {"location": "Lisbon"}),
        Answered("1", WEATHER.name, {"output": "sunny"}),
        Said("Sunny."),
    )
    expected = [("get_current_weather", "Porto")]
    for request in ("And in Porto?", "Sorry, stop. And what about Porto?"):
        assert called(*earlier, request) == expected
        assert called(request) == []


def test_asked_again_it_calls_again() -> None:
    request = "What is the weather in Rome?"
    earlier = (request, Called("1", WEATHER.name, {}), Answered("1", WEATHER.name, {}), Said("x"))
    assert called(*earlier, request) == [("get_current_weather", "Rome")]


def test_what_does_not_block_is_called_and_spoken_of_at_once() -> None:
    free = Function(WEATHER.name, WEATHER.description, PLACE, blocking=False)
    first = turn("Weather in Rome?", functions=(free,))
    assert kinds(first) == ["call", "say"]
    assert "looking" in str(first[1].say)
    later = said(
        "Weather in Rome?",
        Called("1", free.name, {"location": "Rome"}),
        Said("I am looking that up."),
        "Hello",
        Said("Hello!"),
        Answered("1", free.name, {"output": "sunny"}),
        functions=(free,),
    )
    assert later == "The current weather for Rome: sunny."


def test_what_does_not_block_does_not_wait_for_what_does() -> None:
    free = Function("get_time", "The time in a city", PLACE, blocking=False)
    steps = turn("The weather in Rome and the time in Paris?", functions=(WEATHER, free))
    assert [[call.name for call in step.calls] for step in steps] == [
        ["get_time"],
        ["get_current_weather"],
    ]


def test_functions_code_and_search_in_one_request() -> None:
    can: dict[str, Any] = {"functions": (LIGHTS_ON, LIGHTS_OFF), "search": True, "code": True}
    first = turn(THREE_THINGS, **can)
    assert [call.name for step in first for call in step.calls] == ["turn_on_the_lights"]
    assert kinds(first) == ["call"]
    answered = Answered("1", "turn_on_the_lights", {"result": "ok"})
    rest = turn(THREE_THINGS, Called("1", "turn_on_the_lights", {}), answered, **can)
    assert kinds(rest) == ["say", "say", "code", "say", "ground", "say"]
    assert rest[0].say == "Done: turn on the lights."
    assert rest[3].say == "The largest prime palindrome below 100000: 98689."
    assert "earthquake in California" in str(rest[5].say)


# --- tools ---


def test_code_is_announced_run_and_its_result_told() -> None:
    steps = turn("Compute the largest prime palindrome under 100000.", code=True)
    assert kinds(steps) == ["say", "code", "say"]
    assert steps[1].code is not None
    assert steps[1].code.output == "98689\n"
    assert "98689" in str(steps[2].say)


def test_code_and_search_need_their_tools() -> None:
    for request in ("Compute the largest prime under 100.", "Who won the 2024 Nobel prize?"):
        assert kinds(turn(request)) == ["say"]


def test_code_that_works_with_its_own_result_tells_both() -> None:
    request = "Find the 15th fibonacci number then find the nearest palindrome to it"
    _, code, said = turn(request, code=True)
    assert code.code is not None
    assert code.code.output == "610\n606\n"
    assert said.say == "Fibonacci number 15 and the palindrome nearest to it: 610 and 606."


def test_questions_about_the_world_are_searched_for() -> None:
    steps = turn("Who won the 2024 Nobel prize in physics?", search=True)
    assert kinds(steps) == ["ground", "say"]
    assert steps[0].ground is not None
    assert all(source.title in str(steps[1].say) for source in steps[0].ground.sources)


@pytest.mark.parametrize("request_", ["Hello", "How are you?", "My name is Ada.", "Thanks!"])
def test_small_talk_is_not_searched_for(request_: str) -> None:
    assert kinds(turn(request_, search=True, code=True)) == ["say"]


def test_thoughts_come_first() -> None:
    requests = ("Hello", "Weather in Rome?", "Who won the election?", "What did I say?")
    for request in requests:
        steps = turn(request, functions=HOME, search=True, thoughts=True)
        assert steps[0].kind == "think"
        assert kinds(steps[1:]) == kinds(turn(request, functions=HOME, search=True))


# --- talk ---


def test_the_question_before_a_resumption_is_known() -> None:
    asked = "Hello? Gemini are you there?"
    first = said(asked)
    assert "I am here" in first
    later = said(asked, Said(first), "what was the last question I asked?")
    assert asked in later


def test_a_stated_fact_is_known_later() -> None:
    facts = ("My name is Ada.", Said("ok"), "Remember that the code is 4711", Said("ok"))
    assert said(*facts, "What's my name?") == "Your name is Ada."
    assert said(*facts, "What is the code?") == "The code is 4711."


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("My name is Eve.\nWhat is my name?", "Your name is Eve."),
        ("My dog is called Rex. What is my name?", "Your name is Ada."),
        ("Hello there! I like tea. My dog is called Rex. What's my dog called?",
         "Your dog is called Rex."),
        ("My name is Eve, what is my name?", "Your name is Eve."),
        ("What is my name and what is the code?", "Your name is Ada. The code is 4711."),
        ("What is my name? Thanks!", "Your name is Ada."),
        ("I like tea. What did I just say?", 'You said: "I like tea."'),
        ("The shop is shut. How is the shop?", "The shop is shut."),
        ("What is my name? And what is 12 times 7?", "Your name is Ada. 12 times 7 is 84."),
        ("My dog is called Rex. I am 42 years old. What is 2 plus 2?", "2 plus 2 is 4."),
        ("I like tea. What is my name? In one word.", "Ada."),
    ],
)  # fmt: skip
def test_statements_and_a_question_in_one_turn(request_: str, expected: str) -> None:
    assert said("My name is Ada. The code is 4711.", Said("ok"), request_) == expected


def test_what_was_told_is_told_next_to_calls() -> None:
    request = "My name is Ada. What is my name? And what is the weather in Rome?"
    assert called(request) == [("get_current_weather", "Rome")]
    rest = turn(
        request,
        Called("1", WEATHER.name, {"location": "Rome"}),
        Answered("1", WEATHER.name, {"output": "sunny"}),
        functions=HOME,
    )
    assert [step.say for step in rest] == [
        "The current weather for Rome: sunny.",
        "Your name is Ada.",
    ]


def test_what_is_told_next_to_a_question_is_known_later() -> None:
    assert said("My name is Ada, what is 2 plus 3?", Said("5"), "Who am I?") == "Your name is Ada."


def test_what_was_told_comes_before_functions_and_search() -> None:
    balance = Function("get_balance", "Get the balance of the account")
    told = said("My balance is five.", "What is my balance?", functions=(balance,), search=True)
    assert told == "Your balance is five."
    assert called("What is my balance?", functions=(balance,)) == [("get_balance",)]


def test_speech_without_words_is_answered_by_its_length() -> None:
    assert "2.3 seconds" in said(Heard(None, "spoken", 2.34))
    assert "2 images" in said(Heard(None, "spoken", 1, images=2))
    assert "an image" in said(Heard("", images=1))
    assert "an image" in said(Heard("Hello", images=1))


def test_transcribed_speech_is_like_text() -> None:
    assert said(Heard("What is 12 times 7?", "spoken", 2.0)) == "12 times 7 is 84."


def test_nothing_heard_is_waited_for() -> None:
    assert said() == said(Said("Hello!")) == said(Called("1", "f", {})) == "I am listening."
    assert said(Answered("1", "f", {})) == "I am listening."


def test_the_instruction_is_followed() -> None:
    assert "I am Max" in said("Who are you?", instruction="You are Max, a helpful assistant.")
    assert said("Weather in Rome?", functions=HOME, instruction="Only say 'Quack'.") == "Quack"
    assert said("Hello", instruction='Always end with "Over."').endswith(" Over.")
    german = "RESPOND IN German. YOU MUST RESPOND UNMISTAKABLY IN German."
    assert said("Hello", instruction=german).startswith("Hallo!")
    assert said("Hello", language="fr-FR").startswith("Bonjour")


@pytest.mark.parametrize(
    "request_", ["Is it nice? In one word.", "Answer in one word: where is it?", "Yes or no?"]
)
def test_short_answers_on_request(request_: str) -> None:
    assert len(said(request_).split()) == 1


def test_long_answers_on_request() -> None:
    assert len(said("Tell me a long story, please.").split()) > 100
    assert said("Count to fifty").endswith("49, 50.")


# --- anything ---

NAMES = st.text("abcdefgh_XY1", min_size=1, max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
ENTRIES = st.lists(
    st.builds(Heard, st.none() | st.text(max_size=40), images=st.integers(0, 2))
    | st.builds(Said, st.text(max_size=20), st.booleans())
    | st.builds(Called, st.sampled_from(["", "1", "2"]), NAMES, st.just({}))
    | st.builds(
        Answered, st.sampled_from(["", "1", "2"]), NAMES, st.dictionaries(NAMES, JSON, max_size=3)
    ),
    max_size=6,
)


@settings(max_examples=100)
@given(
    ENTRIES,
    st.text(max_size=60),
    st.lists(st.builds(Function, NAMES, st.text(max_size=30), st.none() | JSON), max_size=3),
    st.text(max_size=40),
    st.booleans(),
)
def test_any_input_gives_the_same_valid_steps(
    history: list[Entry], text: str, functions: list[Any], instruction: str, tools: bool
) -> None:
    can = Abilities(tuple(functions), tools, tools, tools, instruction)
    entries = [*history, Heard(text)]
    for seen in (history, entries):
        steps = answer(seen, can)
        assert steps == answer(seen, can)
        assert any(step.say or step.calls for step in steps)
        declared = {function.name for function in functions}
        assert {call.name for step in steps for call in step.calls} <= declared


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is my name?", "Your name is Ada."),
        ("I like tea. What is my box?", "Your box is red and 2999."),
        ("What did I say first?", 'You said first: "My name is Ada."'),
        ("What was my first question?", 'You asked first: "What is number 0?"'),
        ("What did you just say?", 'I said: "I see 2999."'),
    ],
)
def test_long_conversations_are_read_once(question: str, expected: str) -> None:
    entries: list[Entry] = [Heard("My name is Ada.")]
    for number in range(3000):
        entries += [Heard(f"What is number {number}? My box is red and {number}.")]
        entries += [Said(f"I see {number}.")]
    shown = expected.replace("0?", "0? My box is red and 0.")
    assert said(*entries, question) == shown
    took = []
    for _ in range(3):
        began = time.process_time()
        said(*entries, question)
        took.append(time.process_time() - began)
    assert min(took) < 0.04


@pytest.mark.parametrize(
    "text",
    [
        *(
            "x" * 100_000,
            "a b " * 25_000,
            "what is my " * 9_000,
            "1 + " * 25_000,
            "New York, " * 10_000,
        ),
        *("a. what is my name? " * 5000, "respond in " * 9000, "add from 1 and " * 7000),
        *("\n" * 100_000, "'" * 100_000, '"say ' * 20_000, "i like the i am " * 6_000),
    ],
)
def test_huge_texts_take_no_time(text: str) -> None:
    began = time.process_time()
    steps = turn(text, text, functions=HOME, search=True, code=True, instruction=text)
    assert steps
    assert time.process_time() - began < 1.0
