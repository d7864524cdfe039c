"""How the simulation hears: real signals, no clock."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.live_api.messages import AutomaticActivityDetection, Blob, RealtimeInputConfig
from processors.local_live_api.hearing import RATES, Ear
from processors.local_live_api.refusal import INVALID_ARGUMENT, RefusedError
from processors.local_live_api.switches import Switches

RATE = 16_000


def tone(ms: int, rate: int = RATE) -> np.ndarray:
    """Loud syllables of 150 ms, each followed by 50 ms of a quiet room."""
    at = np.arange(rate * ms // 1000)
    loudness = np.where(at * 1000 // rate % 200 < 150, 8000, 30)
    return (loudness * np.sign(np.sin(at / 10 + 0.05))).astype(np.int16)


def silence(ms: int, rate: int = RATE) -> np.ndarray:
    return np.zeros(rate * ms // 1000, np.int16)


def ear(switches: Switches | None = None, **detection: Any) -> Ear:
    config = RealtimeInputConfig(
        automatic_activity_detection=AutomaticActivityDetection(**detection)
    )
    return Ear(config if detection else None, switches or Switches())


def blob(samples: np.ndarray, mime_type: str = f"audio/pcm;rate={RATE}") -> Blob:
    return Blob(mime_type=mime_type, data=samples.astype("<i2").tobytes())


def listen(listener: Ear, *sounds: np.ndarray, chunk_ms: int = 20) -> list[tuple[str, int]]:
    """Everything found, with the milliseconds of audio that it took."""
    samples = np.concatenate(sounds)
    size = RATE * chunk_ms // 1000
    before = listener.seconds
    return [
        (activity, round((listener.seconds - before) * 1000))
        for offset in range(0, len(samples), size)
        for activity in listener.hear(blob(samples[offset : offset + size]))
    ]


# --- where speech begins and ends ---


def test_speech_begins_and_ends_with_silence() -> None:
    (start, began), (end, ended) = listen(ear(), silence(500), tone(950), silence(2000))
    assert (start, end) == ("start", "end")
    assert began == 500 + Switches().prefix_ms
    assert 0 <= ended - 1450 - Switches().silence_ms < 100


def test_silence_is_nothing() -> None:
    assert listen(ear(), silence(5000)) == []


def test_noise_that_does_not_change_is_nothing() -> None:
    hiss = np.random.default_rng(1).normal(0, 60, RATE * 5).astype(np.int16)
    assert listen(ear(), hiss) == []


def test_a_pause_shorter_than_the_silence_is_part_of_the_turn() -> None:
    sounds = (tone(500), silence(400), tone(500), silence(1500))
    found = listen(ear(silence_duration_ms=800), *sounds)
    assert [activity for activity, _ in found] == ["start", "end"]


def test_less_silence_makes_two_turns_of_it() -> None:
    sounds = (tone(500), silence(600), tone(500), silence(600))
    found = listen(ear(silence_duration_ms=200), *sounds)
    assert [activity for activity, _ in found] == ["start", "end", "start", "end"]


def test_speech_begins_after_its_prefix_and_ends_after_the_silence() -> None:
    ends = []
    for prefix, quiet in ((60, 300), (120, 500), (0, 100), (-5, 200)):
        listener = ear(prefix_padding_ms=prefix, silence_duration_ms=quiet)
        (_, began), (_, ended) = listen(listener, silence(500), tone(500), silence(1000))
        assert began == 500 + max(prefix, 20)
        ends.append(ended - max(quiet, 20))
    assert len(set(ends)) == 1
    assert 1000 <= ends[0] < 1100


def test_sensitivity_sets_the_silence_unless_that_is_given() -> None:
    ends = {}
    for end in ("END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW", None):
        listener = ear(end_of_speech_sensitivity=end, prefix_padding_ms=20)
        ends[end] = listen(listener, tone(500), silence(2000))[1][1]
    assert ends["END_SENSITIVITY_HIGH"] + 300 == ends[None] == ends["END_SENSITIVITY_LOW"] - 200
    both = ear(end_of_speech_sensitivity="END_SENSITIVITY_HIGH", silence_duration_ms=1000)
    assert listen(both, tone(500), silence(2000))[1][1] == ends["END_SENSITIVITY_LOW"]


def test_a_sensitive_ear_hears_what_is_hardly_louder_than_the_room() -> None:
    noise = np.random.default_rng(2).normal(0, 1, RATE * 4)
    noise[RATE * 2 : RATE * 3] *= 10 ** (4.6 / 20)
    room = (noise * 150).astype(np.int16)
    low = listen(ear(start_of_speech_sensitivity="START_SENSITIVITY_LOW"), room)
    high = listen(ear(start_of_speech_sensitivity="START_SENSITIVITY_HIGH"), room)
    assert low == []
    assert high[0][0] == "start"
    assert 2000 < high[0][1] < 3000


def test_a_click_is_no_speech() -> None:
    click = np.full(RATE * 20 // 1000, 12_000, np.int16)
    assert listen(ear(prefix_padding_ms=200), silence(1000), click, silence(1500)) == []


@pytest.mark.parametrize("chunk_ms", [10, 30, 100, 5000])
def test_the_size_of_the_chunks_does_not_matter(chunk_ms: int) -> None:
    sounds = (silence(500), tone(1000), silence(1500))
    listener, reference = ear(), ear()
    found = listen(listener, *sounds, chunk_ms=chunk_ms)
    assert [activity for activity, _ in found] == ["start", "end"]
    for (_, at), (_, expected) in zip(found, listen(reference, *sounds), strict=True):
        assert expected <= at + 20
        assert at <= expected + chunk_ms
    assert listener.speech_seconds == pytest.approx(reference.speech_seconds)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=30))
def test_chunks_of_any_sizes_mean_the_same(sizes: list[int]) -> None:
    samples = np.concatenate([silence(300), tone(350), silence(700)])
    cuts = [size for size in np.cumsum(sizes) if size < len(samples)]
    listener = ear(silence_duration_ms=300)
    pieces = np.split(samples, cuts)
    assert [a for piece in pieces for a in listener.hear(blob(piece))] == ["start", "end"]
    assert listener.seconds == pytest.approx(len(samples) / RATE)
    assert 0.35 <= listener.speech_seconds < 0.45


def test_the_end_of_the_stream_ends_speech_at_once() -> None:
    listener = ear()
    assert [activity for activity, _ in listen(listener, tone(500))] == ["start"]
    assert list(listener.stream_ended()) == ["end"]
    assert list(listener.stream_ended()) == []


def test_the_end_of_the_stream_without_speech_is_nothing() -> None:
    listener = ear()
    listen(listener, silence(500))
    assert list(listener.stream_ended()) == []


def test_the_next_stream_begins_afresh() -> None:
    listener = ear()
    listen(listener, tone(500))
    list(listener.stream_ended())
    found = listen(listener, tone(500), silence(1500))
    assert [activity for activity, _ in found] == ["start", "end"]


# --- activity that the client marks ---


def test_without_detection_the_client_says_when_the_user_speaks() -> None:
    listener = ear(disabled=True)
    assert not listener.automatic
    assert listen(listener, tone(500), silence(2000)) == []
    assert list(listener.told("start")) == ["start"]
    assert list(listener.told("start")) == []
    listen(listener, silence(300), tone(200))
    assert list(listener.told("end")) == ["end"]
    assert list(listener.told("end")) == []
    assert listener.speech_seconds == pytest.approx(0.5)


@pytest.mark.parametrize("activity", ["start", "end"])
def test_with_detection_the_client_may_not_say_it(activity: Any) -> None:
    with pytest.raises(RefusedError) as raised:
        list(ear().told(activity))
    assert raised.value.reason == (
        "Explicit activity control is not supported when automatic activity detection is enabled."
    )


# --- what it counts and keeps ---


def test_it_counts_what_it_hears() -> None:
    listener = ear()
    listen(listener, silence(1230))
    assert listener.seconds == pytest.approx(1.23)
    assert list(listener.hear(Blob(mime_type="audio/pcm"))) == []
    assert list(listener.hear(Blob(mime_type="audio/pcm", data=b"\x00"))) == []
    assert listener.seconds == pytest.approx(1.23)


def test_the_length_of_speech_is_without_the_silence_after_it() -> None:
    listener = ear()
    listen(listener, silence(500), tone(950), silence(2000))
    assert 0.95 <= listener.speech_seconds < 1.05
    listen(listener, tone(300), silence(200))
    list(listener.stream_ended())
    assert 0.3 <= listener.speech_seconds < 0.4


def test_it_keeps_nothing_unless_it_is_to() -> None:
    listener = ear()
    listen(listener, tone(500), silence(1500))
    samples, rate = listener.utterance()
    assert (len(samples), rate) == (0, RATE)


def test_an_utterance_is_kept_whole_until_it_is_taken() -> None:
    listener = ear()
    listener.keep_speech()
    listen(listener, silence(3000), tone(2000), silence(5000))
    samples, rate = listener.utterance()
    assert rate == RATE
    loud = np.flatnonzero(samples)
    assert loud[-1] - loud[0] == pytest.approx(RATE * 2, abs=RATE * 0.02)
    assert 0.5 * RATE < loud[0] <= RATE, "a second from before it"
    assert len(listener.utterance()[0]) == 0


def test_utterances_wait_in_their_order() -> None:
    listener = ear(silence_duration_ms=200)
    listener.keep_speech()
    listen(listener, tone(1000), silence(1500), tone(400), silence(1500))
    lengths = [np.count_nonzero(listener.utterance()[0]) / RATE for _ in range(2)]
    assert lengths == pytest.approx([1.0, 0.4], abs=0.01)


def test_between_marks_all_is_kept_and_nothing_from_before() -> None:
    listener = ear(disabled=True)
    listener.keep_speech()
    listen(listener, tone(700))
    list(listener.told("start"))
    spoken = np.concatenate([silence(100), tone(200)])
    listen(listener, spoken)
    list(listener.told("end"))
    assert listener.utterance()[0].tolist() == spoken.tolist()


def test_of_a_speech_without_end_the_last_minute_is_kept() -> None:
    listener = ear(disabled=True)
    listener.keep_speech()
    list(listener.told("start"))
    for _ in range(70):
        list(listener.hear(blob(tone(1000))))
    list(listener.told("end"))
    assert len(listener.utterance()[0]) == 60 * RATE


def test_a_copy_goes_its_own_way() -> None:
    listener = ear(silence_duration_ms=300)
    listener.keep_speech()
    listen(listener, silence(200), tone(500))
    snapshot = listener.copy()
    assert [activity for activity, _ in listen(listener, silence(500))] == ["end"]
    assert snapshot.speaking
    assert [a for a, _ in listen(snapshot, tone(500), silence(500))] == ["end"]
    first, second = (np.count_nonzero(e.utterance()[0]) for e in (listener, snapshot))
    assert second - first == pytest.approx(RATE / 2, abs=RATE * 0.01)
    assert snapshot.seconds == pytest.approx(1.7)
    assert listener.seconds == pytest.approx(1.2)


def test_a_later_setup_changes_how_it_hears_and_not_what_it_heard() -> None:
    listener = ear()
    listener.keep_speech()
    listen(listener, tone(500), silence(1000), tone(500))
    sensitivity = AutomaticActivityDetection(
        start_of_speech_sensitivity="START_SENSITIVITY_LOW", silence_duration_ms=100
    )
    listener.configure(RealtimeInputConfig(automatic_activity_detection=sensitivity), Switches())
    assert listener.speaking
    assert len(listener.utterance()[0]) == 0, "its turn ended with its connection"
    [(end, at)] = listen(listener, silence(500))
    assert end == "end"
    assert at <= 200
    assert listener.seconds == pytest.approx(2.5)


# --- what is no audio ---


@pytest.mark.parametrize(
    ("mime_type", "rate"),
    [
        ("audio/pcm", 16_000),
        ("audio/pcm;rate=24000", 24_000),
        ("audio/pcm; rate=44100", 44_100),
        ("audio/pcm;rate=11025", 11_025),
        ("audio/pcm;rate=4000;channels=1", RATES[0]),
        ("audio/pcm;rate=192000", RATES[1]),
    ],
)
def test_rates(mime_type: str, rate: int) -> None:
    listener = ear()
    samples = np.concatenate([tone(500, rate), silence(1500, rate)])
    assert list(listener.hear(blob(samples, mime_type))) == ["start", "end"]
    assert listener.seconds == pytest.approx(2.0, abs=0.001)
    assert listener.utterance()[1] == rate


@pytest.mark.parametrize(
    "mime_type",
    [
        "",
        "audio/wav",
        "image/jpeg",
        "audio/pcm;rate=0",
        "audio/pcm;rate=3999",
        "audio/pcm;rate=192001",
        f"audio/pcm;rate={'9' * 5000}",
    ],
)
def test_what_it_cannot_hear_is_refused(mime_type: str) -> None:
    with pytest.raises(RefusedError) as raised:
        list(ear().hear(blob(silence(20), mime_type)))
    assert raised.value.reason == INVALID_ARGUMENT


def test_a_rate_that_changes_is_refused_even_without_samples() -> None:
    listener = ear()
    list(listener.hear(blob(silence(20), "audio/pcm;rate=24000")))
    for mime_type in ("audio/pcm;rate=16000", "audio/pcm"):
        with pytest.raises(RefusedError) as raised:
            list(listener.hear(Blob(mime_type=mime_type)))
        assert raised.value.reason == (
            "Sample rate changed from previously 24000 to 16000, which is not supported."
        )
