"""Cycles: which could block, which edges close them, and the order that is left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.processor import Duplex

if TYPE_CHECKING:
    from pipeline.graph import Edge, Graph, Node


def blocking_cycle(graph: Graph) -> list[Edge] | None:
    """A cycle in which no duplex processor stands."""
    done: set[str] = set()
    for start in graph.nodes.values():
        path: list[Edge] = []
        stack = [iter(start.outgoing)]
        if start.name in done or isinstance(start.processor, Duplex):
            continue
        on_path = {start.name: 0}
        while stack:
            edge = next(stack[-1], None)
            if edge is None:
                stack.pop()
                name = path.pop().target.name if path else start.name
                done.add(name)
                on_path.pop(name, None)
            elif edge.target.name in on_path:
                return [*path[on_path[edge.target.name] :], edge]
            elif edge.target.name not in done and not isinstance(edge.target.processor, Duplex):
                path.append(edge)
                on_path[edge.target.name] = len(path)
                stack.append(iter(edge.target.outgoing))
    return None


def mark_feedback(graph: Graph) -> None:
    """Where a cycle is entered from outside, its own edges into that node are feedback.

    That leaves no cycle, and does not depend on the order in which anything was written.
    """
    pending = _cycles(list(graph.nodes.values()))
    for group in pending:
        inside = set(group)

        def is_inner(edge: Edge, inside: set[Node] = inside) -> bool:
            return edge.source in inside and not edge.feedback

        entries = [node for node in group if not all(map(is_inner, node.incoming))]
        for node in entries:
            for edge in node.incoming:
                edge.feedback = edge.feedback or is_inner(edge)
        if entries:
            pending += _cycles(group)


def downstream_order(graph: Graph) -> list[Node]:
    """Every node behind all that feed it; feedback edges do not count."""
    waiting = {
        name: sum(not edge.feedback for edge in node.incoming) for name, node in graph.nodes.items()
    }
    order = [node for name, node in graph.nodes.items() if not waiting[name]]
    for node in order:
        for edge in node.outgoing:
            if not edge.feedback:
                waiting[edge.target.name] -= 1
                if not waiting[edge.target.name]:
                    order.append(edge.target)
    return order


def _cycles(nodes: list[Node]) -> list[list[Node]]:
    """Groups of nodes that lead to each other; feedback edges do not count.

    After Kosaraju: seen from the last to be left behind going forwards, going back leads to no
    other group that is still there.
    """
    left = set(nodes)
    groups: list[list[Node]] = []
    for root in reversed(_left_behind(nodes)):
        if root not in left:
            continue
        left.remove(root)
        group = [root]
        for node in group:
            new = [other for other in dict.fromkeys(_sources(node)) if other in left]
            left.difference_update(new)
            group += new
        if len(group) > 1 or root in _targets(root):
            groups.append(group)
    return groups


def _left_behind(nodes: list[Node]) -> list[Node]:
    """The nodes in the order in which a search in depth is done with all that is ahead of them."""
    inside = set(nodes)
    done: list[Node] = []
    for start in nodes:
        ways = [(start, _targets(start))] if start in inside else []
        inside.discard(start)
        while ways:
            node, ahead = ways[-1]
            new = next((other for other in ahead if other in inside), None)
            if new is None:
                done.append(node)
                ways.pop()
            else:
                inside.remove(new)
                ways.append((new, _targets(new)))
    return done


def _sources(node: Node) -> Iterator[Node]:
    return (edge.source for edge in node.incoming if not edge.feedback)


def _targets(node: Node) -> Iterator[Node]:
    return (edge.target for edge in node.outgoing if not edge.feedback)
