"""What each error code means, at length: cause, example, remedy.

An example that is a whole configuration gives just its error. Packages of processors explain codes
of their own by the entry point group `pipeline.explanations`: a mapping from codes to texts.
"""

from __future__ import annotations

from typing import NamedTuple


class Explanation(NamedTuple):
    """Why there is such an error, what one looks like, and what to do about it."""

    cause: str
    example: str
    remedy: str

    def __str__(self) -> str:
        example = "\n".join(f"    {line}" for line in self.example.strip().splitlines())
        return f"{self.cause}\n\nExample:\n\n{example}\n\nRemedy: {self.remedy}\n"


EXPLANATIONS = {
    # --- the text ---
    "unreadable": Explanation(
        "A file cannot be opened, or is not text in UTF-8.",
        "pipeline check no_such_file.yaml",
        "Look at the name and at the permissions; save the file as UTF-8.",
    ),
    "nothing-to-check": Explanation(
        "None of the files and folders that were named holds a configuration.",
        "pipeline check an_empty_folder",
        "Name others. In folders and pages only what has `processors:` at its top is looked at.",
    ),
    "yaml": Explanation(
        "The text is not valid YAML. Where the place seems right, look at the lines before it: a\n"
        "bracket or a quotation mark that was never closed is noticed late.",
        """
processors:
  typed: {use: text_source, lines: [hello}
""",
        "Close every bracket, indent with spaces, and quote what contains `: ` or begins with one\n"
        "of & * ! % @ and the like.",
    ),
    "duplicate-key": Explanation(
        "A key stands twice in the same mapping. YAML would silently take one of the two.",
        """
processors:
  typed: {use: text_source, lines: [hello], lines: [bye]}
  gemini: {use: live_api, modality: text}
flow: [typed -> gemini]
""",
        "Keep one, or give one another name.",
    ),
    "variable": Explanation(
        "${NAME} stands for an environment variable that is not set, or is not spelled right.",
        """
processors:
  typed: {use: text_source, path: "${FILE_THAT_NOBODY_SET}"}
  gemini: {use: live_api, modality: text}
flow: [typed -> gemini]
""",
        "Set the variable, or write a default: ${NAME:-default}. $$ is a dollar sign.",
    ),
    "secret": Explanation(
        "A key, token or password is written into the file, also if only in a comment. Files are\n"
        "shared and kept; a secret in one is no secret for long.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text, url: "wss://me:my-password@proxy.example.com"}
flow: [typed -> gemini]
""",
        'Put it into an environment variable and write "${NAME}". `live_api` finds its own keys\n'
        "there. One that was shared already has to be replaced by a new one. For a text that is\n"
        'no secret in spite of its looks, write a default: "${NAME:-text}".',
    ),
    # --- the schema ---
    "config": Explanation(
        "A configuration is a mapping with `processors:`, names with their settings, and `flow:`,\n"
        "a list of chains. One of them is missing, empty, or something else.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
""",
        "Add the key, or give it a mapping (`processors`) or a list (`flow`).",
    ),
    "unknown-key": Explanation(
        "There is no such key at the top of a configuration.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
flow: [typed -> gemini]
title: a talk
""",
        "Delete it; what explains the file belongs in a comment.",
    ),
    "missing-use": Explanation(
        "An entry of `processors` does not say which processor it is.",
        """
processors:
  typed: {lines: [hello]}
  gemini: {use: live_api, modality: text}
flow: [typed -> gemini]
""",
        "Add `use:` with a name, ./file.py:Class or package.module:Class.",
    ),
    "unknown-processor": Explanation(
        "No installed package brings a processor of this name, the file or module has no such\n"
        "class, it is no processor, or importing it failed.",
        """
processors:
  typed: {use: text_sorce, lines: [hello]}
  gemini: {use: live_api, modality: text}
flow: [typed -> gemini]
""",
        "Correct the name. Files are looked for from the configuration's own folder; packages\n"
        "have to be installed where `pipeline` is.",
    ),
    "unknown-setting": Explanation(
        "The processor has no such setting, or none within this one.",
        """
processors:
  typed: {use: text_source, line: [hello], lines: [hello]}
  gemini: {use: live_api, modality: text, vad: {silence: 500}}
flow: [typed -> gemini]
""",
        "Settings are the arguments of the class's constructor; correct the name.",
    ),
    "missing-setting": Explanation(
        "The processor cannot do without this setting.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
  words: {use: transcription_sink}
flow: [typed -> gemini -> words]
""",
        "Add it.",
    ),
    "wrong-setting": Explanation(
        "A value is of another type than the setting, out of its range, none of its choices, or\n"
        "does not go together with the others.",
        """
processors:
  typed: {use: text_source, lines: [hello], pause_ms: a second}
  gemini: {use: live_api, modality: texts}
flow: [typed -> gemini]
""",
        "Write what is expected. yes, no, on and off are booleans in YAML, and 1:30 is a number:\n"
        "quote them where they are words.",
    ),
    "constructor": Explanation(
        "The class of a processor raised something unexpected when it was made. That is a\n"
        "mistake in its code, not in the configuration.",
        """
def __init__(self, table: dict[str, str]) -> None:
    self.first = table["first"]  # KeyError for a table without it
""",
        "Raise SettingError(message, setting=name, hint=...) for values that cannot be used.",
    ),
    "annotations": Explanation(
        "A class does not say what it takes and gives, or of which type its settings are. Both\n"
        "are read from annotations.",
        """
class Gate(Transform):
    def process(self, frame):  # takes what, and gives what?
        yield frame
""",
        "Annotate the parameters of the constructor and of the method of the role with types\n"
        "that can be imported at run time: `frame: AudioFrame`, `-> Iterator[AudioFrame]`.",
    ),
    # --- the graph ---
    "flow-syntax": Explanation(
        "A chain cannot be read.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
flow: [typed - gemini]
""",
        "Names with arrows between them: `a -> b -> c`, or `a <-> b` for both directions.",
    ),
    "unknown-node": Explanation(
        "A chain names something that `processors` does not have.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
flow: [typed -> gemmini]
""",
        "Chains use the names on the left side, not those of `use:`. Correct one of the two.",
    ),
    "connected-twice": Explanation(
        "Two chains have the same arrow, and every frame would arrive twice.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
  words: {use: transcription_sink, path: words.jsonl}
flow: [typed -> gemini, typed -> gemini -> words]
""",
        "Begin the second chain where it leaves the first: `gemini -> words`.",
    ),
    "same-object": Explanation(
        "In a graph that is built in Python, one object was given two names. Processors keep\n"
        "state, so each node needs its own.",
        'gate = VadGate()\nGraph({"first": gate, "second": gate, ...}, ...)',
        "Make one for each.",
    ),
    "unused": Explanation(
        "No chain names this node.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
  words: {use: transcription_sink, path: words.jsonl}
flow: [typed -> gemini]
""",
        "Add it to a chain, or delete it.",
    ),
    "no-input": Explanation(
        "A node that is no source has nothing before it.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
  gate: {use: vad_gate}
flow: [typed -> gemini, gate -> gemini]
""",
        "Begin the chain with a source.",
    ),
    "into-source": Explanation(
        "An arrow leads into a source, which takes nothing.",
        """
processors:
  first: {use: text_source, lines: [hello]}
  second: {use: text_source, lines: [bye]}
  gemini: {use: live_api, modality: text}
flow: [first -> second -> gemini]
""",
        "Give each source a chain of its own: `first -> gemini`, `second -> gemini`.",
    ),
    "out-of-sink": Explanation(
        "An arrow leads out of a sink, which gives nothing.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
  first: {use: transcription_sink, path: first.jsonl}
  second: {use: transcription_sink, path: second.jsonl}
flow: [typed -> gemini -> first -> second]
""",
        "Branch before it: `gemini -> first`, `gemini -> second`.",
    ),
    "dead-end": Explanation(
        "A chain ends in a source or a transform, and what it gives goes nowhere.",
        """
processors:
  question: {use: audio_source, path: question.wav}
  to_16k: {use: resampler, rate: 16000}
flow: [question -> to_16k]
""",
        "End the chain in a sink or in a duplex processor such as `live_api`.",
    ),
    "unreachable": Explanation(
        "Nothing that comes before this node leads back to a source: it would wait for ever.",
        """
processors:
  gemini: {use: live_api, modality: text}
  tools: {use: tool_dispatcher, functions: [weather.py]}
flow: [gemini <-> tools]
""",
        "Add a chain from a source to it, or to one of the nodes before it.",
    ),
    "cycle": Explanation(
        "Nodes feed each other in a circle in which none reads and writes independently. When\n"
        "their inboxes are full, each would wait for the next.",
        """
processors:
  question: {use: audio_source, path: question.wav}
  first: {use: vad_gate}
  second: {use: vad_gate}
  file: {use: audio_sink, path: out.wav}
flow: [question -> first -> second -> file, second -> first]
""",
        "Remove an arrow. Only a duplex processor, such as `live_api` or `tool_dispatcher`, may\n"
        "close a cycle.",
    ),
    "type-mismatch": Explanation(
        "An arrow joins nodes that have no type of frame in common, neither themselves nor\n"
        "through what is behind them.",
        """
processors:
  question: {use: audio_source, path: question.wav}
  words: {use: transcription_sink, path: words.jsonl}
flow: [question -> words]
""",
        "Put a processor between them that turns one type into the other: here, `live_api`.",
    ),
    "never-fed": Explanation(
        "All that comes to this transform would pass it: it takes other types of frames.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gate: {use: vad_gate}
  gemini: {use: live_api, modality: text}
flow: [typed -> gate -> gemini]
""",
        "Leave it out, or move it to where there are such frames.",
    ),
    "no-answer": Explanation(
        "A processor is given calls to answer, but what it answers never comes back to the\n"
        "caller, which would wait for it.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
  tools: {use: tool_dispatcher, functions: [weather.py]}
flow: [typed -> gemini -> tools]
""",
        "Wire both directions: `gemini <-> tools`.",
    ),
    "inbox-of-source": Explanation(
        "A source has an `inbox:`, but nothing ever comes to it.",
        """
processors:
  typed: {use: text_source, lines: [hello], inbox: {frames: 8}}
  gemini: {use: live_api, modality: text}
flow: [typed -> gemini]
""",
        "Give it to the node that the source feeds.",
    ),
    "inbox": Explanation(
        "A bound or a policy makes no sense for what comes to this inbox. Only sound and pictures\n"
        "are ever dropped, only sound has a length in ms, and `latest` is for pictures: of sound\n"
        "it would leave shreds.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
  words: {use: transcription_sink, path: words.jsonl, inbox: {policy: drop_oldest}}
flow: [typed -> gemini -> words]
""",
        "{frames: 64} for words and calls, {ms: 400, policy: drop_oldest} for live sound,\n"
        "{policy: latest} for live pictures.",
    ),
    # --- the machine ---
    "format-mismatch": Explanation(
        "Sound arrives at another rate, or with another number of channels, than is taken; or a\n"
        "sink is given sounds of different rates.",
        """
processors:
  question: {use: audio_source, path: question.wav}
  gemini: {use: live_api}
flow: [question -> gemini]
""",
        "Put a resampler between them; the message says with which settings.",
    ),
    "same-file": Explanation(
        "Two nodes would write one file, or one would write what another reads.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
  first: {use: transcription_sink, path: words.jsonl}
  second: {use: transcription_sink, path: words.jsonl}
flow: [typed -> gemini -> first, gemini -> second]
""",
        "Give each its own file.",
    ),
    "environment": Explanation(
        "A processor has looked and cannot run here: a file or a device is missing, a key is not\n"
        "set, or the model or the backend does not take a setting.",
        """
processors:
  typed: {use: text_source, path: no_such_file.txt}
  gemini: {use: live_api, modality: text, voice: Kore}
flow: [typed -> gemini]
""",
        "The message says what is missing. `pipeline check --offline` leaves such things out.",
    ),
}
"""By code, in the order in which a configuration is checked."""
