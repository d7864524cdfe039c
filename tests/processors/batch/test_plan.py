from pathlib import Path

import pytest
from batch_bench import CODED, TALK, config, jobs, plan, write

from pipeline import ConfigError, load
from processors.batch.plan import find_files, make_plan


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(folder: Path, text: str, **settings: str) -> str:
    made = make_plan(config(folder, text), write(folder, a="x"), folder=folder, **settings)
    return "\n".join(map(str, made.findings))


def test_files_by_pattern_and_by_name(folder: Path) -> None:
    (folder / "sub").mkdir()
    write(folder, b="", a="", **{"[c]": "", "sub/d": ""})
    assert [str(f) for f in find_files(["*.txt", "a.txt"])] == ["[c].txt", "a.txt", "b.txt"]
    assert [str(f) for f in find_files(["[c].txt"])] == ["[c].txt"]
    assert len(find_files(["**/*.txt"])) == 4
    first, *others = find_files(["a.txt", str(folder / "*.txt"), "./a.txt"])
    assert (str(first), len(others)) == ("a.txt", 2)


def test_no_files(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\*\.wav is no file, and no pattern of any"):
        find_files(["x*.wav"])
    with pytest.raises(ConfigError, match=r"is a folder; write '.*/\*\.wav'"):
        find_files([str(folder)])


def test_each_file_takes_the_place_of_the_input_and_writes_into_its_own_folder(
    folder: Path,
) -> None:
    one, two = jobs(folder, one="1", **{"$HOME": "2"})
    assert (one.name, two.name) == ("one", "$HOME")
    for made in (one, two):
        graph = load(made.config, overrides=made.overrides)
        assert [path.name for path in graph.files_read()] == [Path(made.file).name]
        [written] = graph.files_written()
        assert written == folder / "out" / made.name / "words.jsonl"
    assert one.recipe == two.recipe


def test_nothing_is_in_real_time_unless_it_is_asked_for(folder: Path) -> None:
    text = TALK.replace("flow:", "  ear: {use: audio_sink, path: a.wav, realtime: true}\nflow:")
    text = text.replace("modality: text, ", "") + "  - gemini -> ear\n"
    for realtime in (False, True):
        [made] = make_plan(
            config(folder, text), write(folder, a=""), folder=folder, realtime=realtime
        ).jobs
        assert ("ear.realtime=false" in made.overrides) is not realtime
        assert made.is_timed is realtime


def test_the_recipe_is_what_the_result_depends_on(folder: Path) -> None:
    def recipe(text: str = TALK, **settings: object) -> str:
        made = make_plan(config(folder, text), write(folder, a=""), folder=folder, **settings)  # type: ignore[arg-type]
        return made.jobs[0].recipe

    assert recipe() == recipe()
    assert len({recipe(), recipe(f"{TALK}# more"), recipe(overrides=["gemini.seed=1"])}) == 3


def test_sessions_of_one_account_share_a_limit(folder: Path) -> None:
    assert plan(folder, a="x").sessions == 5
    two = TALK.replace("flow:", "  other: {use: live_api, modality: text}\nflow:")
    two += "  - typed -> other -> words\n"
    assert plan(folder, two, a="x").sessions == 2
    assert plan(folder, CODED, a="x").sessions is None


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_run(folder: Path) -> None:
    text = TALK.replace("text_source, path: nothing.txt", "audio_source, path: nothing.wav")
    assert refused(folder, text) == ""


def test_which_source_is_the_input(folder: Path) -> None:
    both = TALK.replace("flow:", "  more: {use: text_source, path: talk.yaml}\nflow:")
    both += "  - more -> gemini\n"
    assert refused(folder, both) == (
        "error[inputs] several sources read files: more, typed; "
        "say which one reads those of the batch: --input-node NAME"
    )
    assert refused(folder, both, input_node="typed") == ""
    assert refused(folder, both, input_node="typ") == (
        'error[inputs] --input-node: "typ" is no source that reads a file; did you mean "typed"?'
    )
    none = TALK.replace("path: nothing.txt", "lines: [hello]")
    assert "no source of the configuration reads a file" in refused(folder, none)


def test_what_all_files_would_share(folder: Path) -> None:
    text = TALK.replace("flow:", '  ear: {use: audio_sink, path: "-", encoding: s16le}\nflow:')
    text = text.replace("modality: text, ", "") + "  - gemini -> ear\n"
    assert '"ear" writes to standard output' in refused(folder, text)
    text = TALK.replace("flow:", '  keys: {use: text_source, path: "-"}\nflow:')
    text += "  - keys -> gemini\n"
    assert '"keys" is a keyboard' in refused(folder, text, input_node="typed")
