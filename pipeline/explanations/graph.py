"""Codes of what is wrong with a graph, or with the machine that it is to run on."""

from __future__ import annotations

from pipeline.explanations.explanation import Explanation

GRAPH = {
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
    "open-end": Explanation(
        "`input` and `output` are where a fragment is open, and something is wired to one that is\n"
        "not there, or in the wrong direction.",
        """
parameters: {}
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
flow: [typed -> gemini, gemini -> input]
""",
        "Begin a chain with `input`, and end one with `output`, in the file that is included.",
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
    "supervision": Explanation(
        "What `on_error:` or `frame_timeout_s:` say cannot be done with a processor of this role.\n"
        "A source and a duplex processor have no frame in hand that could be skipped, and a plain\n"
        "`process`, on which everything waits, cannot be cut short.",
        """
processors:
  typed: {use: text_source, lines: [hello], on_error: skip}
  gemini: {use: live_api, modality: text}
flow: [typed -> gemini]
""",
        "on_error: restart, for a source or a duplex processor; a time limit for sinks and\n"
        "transforms with `async def process`.",
    ),
    "misplaced": Explanation(
        "A processor has looked at what is around it in the graph, and its settings do not suit\n"
        "that: it waits for something that nothing before it gives.",
        """
processors:
  question: {use: audio_source, path: question.wav, realtime: false}
  to_16k: {use: resampler, rate: 16000, channels: 1}
  gemini: {use: live_api, vad: {automatic: false}}
flow: [question -> to_16k -> gemini]
""",
        "The message says what is missing: here a `vad_gate` between the two.",
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
        "Two nodes would write one file, or one would write what another reads; or two would read\n"
        "standard input, of which each would get some bytes.",
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
