"""Configurations in Markdown."""

import pytest

from pipeline.config.pages import configurations, is_configuration

PAGE = """\
# Title

Some `code` and ```inline```.

```yaml
processors:
  a: {use: x}
```

- in a list:

  ~~~~ yml title="b"
  # a comment
  processors: {}
  ~~~
  flow: []
  ~~~~

```yaml
# excerpt
processors: {}
```

```python
processors: dict
```

```yaml
turns: []
more:
  processors: 1
```

````yaml
processors: {}
```
````

```yaml
flow: []
processors: {}
"""


def test_each_stands_at_its_own_lines() -> None:
    blocks = list(configurations(PAGE))
    found = [block.text.split("\n") for block in blocks]
    page = PAGE.split("\n")
    starts = []
    for lines in found:
        start = next(number for number, line in enumerate(lines) if line)
        assert lines[start:-1] == page[start : len(lines) - 1]
        starts.append(start + 1)
    assert starts == [6, 13, 35, 40]
    assert [block.line for block in blocks] == [5, 12, 34, 39]
    assert [block.mark for block in blocks] == ["```", "~~~~", "````", "```"]
    assert [block.closed for block in blocks] == [True, True, True, False]
    assert found[1][-2] == "  flow: []"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processors: {}", True),
        ("# c\n\n'processors' : {}", True),
        ('{"processors": {}}', True),
        ("flow: []\nprocessors:\n", True),
        ("a:\n  processors: {}", False),
        ("# excerpt\nprocessors: {}", False),
        ("turns: []", False),
        ("preprocessors: {}", False),
        ("", False),
    ],
)
def test_what_a_configuration_is(text: str, expected: bool) -> None:
    assert is_configuration(text) is expected
