"""Codes of what is wrong with the text of a configuration, its processors and their settings."""

from __future__ import annotations

from pipeline.explanations.explanation import Explanation

TEXT = {
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
        "The text is not valid YAML, or has something of it that configurations do without: tags,\n"
        "`<<`, several documents in a file. Where the place seems right, look at the lines before.",
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
    "env-file": Explanation(
        "A line of a file that `--env` names is not `NAME=value`.",
        "GEMINI API KEY=...",
        "A name has letters, digits and _. Put a value with # or with spaces at its ends into\n"
        "quotation marks; the line is not shown, for it may hold a secret.",
    ),
    "fragment": Explanation(
        "A file that is included is missing or includes itself, or one that has open ends is run\n"
        "by itself.",
        """
processors:
  typed: {use: text_source, lines: [hello]}
  leg: {use: ./no_such_file.yaml}
flow: [typed -> leg]
""",
        "Look at the name: it starts from the folder of the file that includes it. A fragment is\n"
        "run as a part of a configuration: `leg: {use: ./leg.yaml, rate: 8000}`.",
    ),
    "unused-parameter": Explanation(
        "A parameter is declared, and what it is given has no effect. This is a warning.",
        """
parameters: {speed: 3}
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
flow: [typed -> gemini]
""",
        'Write "${speed}" where it belongs, in quotation marks within {} and [], or delete it.',
    ),
    "override": Explanation(
        "`--set` does not say which setting gets which value, or there is no such place.",
        "pipeline run talk.yaml --set gate=5",
        "Write --set gate.threshold_db=5; within a setting, --set gemini.vad.silence_ms=300.",
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
    "node-name": Explanation(
        "A processor has a name that no chain could have.",
        """
processors:
  my text: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
flow: [my_text -> gemini]
""",
        "Names have letters, digits, _ and -, and begin with a letter: my_text.",
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
}
