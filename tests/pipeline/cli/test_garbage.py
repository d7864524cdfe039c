"""What the garbage collector is spared."""

import gc
import weakref

from pipeline.cli.garbage import sparing_what_is_loaded


class Node:
    other: object = None


def test_what_was_there_is_not_looked_through_until_left() -> None:
    before = [[]]
    with sparing_what_is_loaded():
        assert gc.get_freeze_count() > 1000
        assert not any(found is before for found in gc.get_objects())
    assert gc.get_freeze_count() == 0
    assert any(found is before for found in gc.get_objects())


def test_garbage_of_later_is_found_meanwhile() -> None:
    with sparing_what_is_loaded():
        node = Node()
        node.other = node
        seen = weakref.ref(node)
        del node
        gc.collect()
        assert seen() is None
