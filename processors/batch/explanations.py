"""The codes of findings that `pipeline batch` adds, for `pipeline explain`."""

from __future__ import annotations

EXPLANATIONS = {
    "inputs": """\
`pipeline batch` was given no files, or does not know which node of the graph reads them: none does,
or several do.

Example:

    pipeline batch talk.yaml --inputs 'recordings/*.wave'

Remedy: look at the pattern, which has to be in quotation marks; where several sources read files,
say which one reads those of the batch: --input-node question.
""",
    "batch": """\
A node of the graph would be shared by all runs of a batch: a device, or standard output, in which
the outputs of all files would be mixed.

Example:

    processors:
      question: {use: audio_source, path: question.wav}
      gemini:   {use: live_api}
      answer:   {use: audio_sink, path: "-"}
    flow:
      - question -> gemini -> answer

Remedy: give outputs the names of files, which each run has in a folder of its own; let the input
come from a file, as with `audio_source`.
""",
    "ray": """\
There is no Ray cluster at the address, or it cannot be used from here.

Example:

    pipeline batch talk.yaml --inputs '*.wav' --on ray --address 127.0.0.1:1

Remedy: start one, with `ray start --head` on one machine and `ray start --address=HOST:6379` on the
others, all with the same versions of Python and Ray; or leave --address out, and it is started on
this machine for as long as it is needed.
""",
    "results": """\
The file of results of `pipeline batch` cannot be written, or is there already and is something
else, which is left alone.

Example:

    pipeline batch talk.yaml --inputs '*.wav' --results talk.yaml

Remedy: name another file with --results.
""",
}
