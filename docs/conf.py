"""The documentation as a site: `sphinx-build -W docs site`, then open `site/index.html`.

The pages are plain Markdown, to be read anywhere. What only the site needs is made here: its
contents from the lists of `index.md`, a page for each file outside of this folder that is linked.
"""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(DOCS))
SHOWN, REFERENCE = "shown", "reference"
"""Folders, ignored by git, of pages that show files of other folders, and that the code makes."""

project = "live-pipeline"
extensions = ["myst_parser"]
exclude_patterns = ["**/README.md"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = project
html_copy_source = False
html_show_copyright = False
html_static_path = ["site.css"]
html_css_files = ["site.css"]

ENTRY = re.compile(r"^- \[[^\]]*\]\(([^)]+)\.md\)", re.MULTILINE)
SETTINGS = re.compile(r"<!-- settings -->.*<!-- end of settings -->\n", re.DOTALL)
OUTSIDE = re.compile(r"\]\((?:\.\./)+((?!docs/)[^)#]+)(#[^)]*)?\)")


def contents(index: str) -> str:
    """A table of contents, which nobody sees in the page, for each section's list of pages.

    Pages that no section names come behind them.
    """
    parts = []
    for section in index.split("\n## ")[1:]:
        caption, _, text = section.partition("\n")
        parts.append(toctree(caption, ENTRY.findall(text)))
    from reference import CONTENTS

    named = {"index", *ENTRY.findall(index)}
    if others := sorted({page.stem for page in DOCS.glob("*.md")} - named):
        parts.append(toctree("Further", others))
    return "\n".join([*parts, toctree("From the code", [f"{REFERENCE}/{p}" for p in CONTENTS])])


def toctree(caption: str, pages: list[str]) -> str:
    """What Sphinx takes for a part of the contents."""
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def page_of(file: str) -> str:
    """Where the site shows a file, without the suffix."""
    return f"{SHOWN}/{Path(file).with_suffix('')}"


def write(path: Path, text: str) -> None:
    """Leaves a file alone that is as it should be, so that Sphinx builds only what has changed."""
    if not path.is_file() or path.read_text("utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def write_reference(app: Sphinx) -> None:
    """Writes the pages that the code makes."""
    from reference import pages

    for name, text in pages().items():
        write(DOCS / REFERENCE / name, text)


def show_files(app: Sphinx) -> None:
    """Writes a page for each file of another folder that some page leads to."""
    pages = [*DOCS.glob("*.md"), *DOCS.glob(f"{REFERENCE}/*.md")]
    linked = {file for page in pages for file, _ in OUTSIDE.findall(page.read_text("utf-8"))}
    for file in linked:
        source, target = ROOT / file, DOCS / f"{page_of(file)}.md"
        text = source.read_text("utf-8")
        if source.suffix != ".md":
            text = f"# {source.name}\n\n```{source.suffix[1:] or 'text'}\n{text}```\n"
        write(target, f"---\norphan: true\n---\n\n{text}")


def adapt(app: Sphinx, name: str, source: list[str]) -> None:
    """Leads links to files of other folders to the pages that show them."""
    if not name.startswith(SHOWN):
        up = "../" * name.count("/")
        source[0] = OUTSIDE.sub(lambda m: f"]({up}{page_of(m[1])}.md{m[2] or ''})", source[0])
    if name == "configuration":  # the site has a page for each of them
        source[0] = SETTINGS.sub(
            "Each has [a page](reference/processors.md) of its own, with all its settings.\n",
            source[0],
        )
    if name == "index":
        source[0] += f"\n{contents(source[0])}"


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", write_reference)
    app.connect("builder-inited", show_files)
    app.connect("source-read", adapt)
