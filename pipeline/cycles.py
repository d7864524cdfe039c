"""Cycles: which could block, which edges close them, and the order that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    _mark_within(list(graph.nodes.values()))


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


def _mark_within(nodes: list[Node]) -> None:
    for group in _cycles(nodes):
        inside = set(group)

        def is_inner(edge: Edge, inside: set[Node] = inside) -> bool:
            return edge.source in inside and not edge.feedback

        entries = [node for node in group if not all(map(is_inner, node.incoming))]
        for node in entries:
            for edge in node.incoming:
                edge.feedback = edge.feedback or is_inner(edge)
        if entries:
            _mark_within(group)


def _cycles(nodes: list[Node]) -> list[list[Node]]:
    """Groups of nodes that lead to each other; feedback edges do not count."""
    left = _trimmed(nodes, _sources, _targets)
    left = _trimmed(left, _targets, _sources)
    reach = {node: _behind(node, set(left)) for node in left}
    groups: list[list[Node]] = []
    for node in left:
        if node in reach[node] and not any(node in group for group in groups):
            groups.append([n for n in left if n in reach[node] and node in reach[n]])
    return groups


def _sources(node: Node) -> Iterable[Node]:
    return (edge.source for edge in node.incoming if not edge.feedback)


def _targets(node: Node) -> Iterable[Node]:
    return (edge.target for edge in node.outgoing if not edge.feedback)


def _trimmed(
    nodes: list[Node],
    before: Callable[[Node], Iterable[Node]],
    behind: Callable[[Node], Iterable[Node]],
) -> list[Node]:
    """The nodes without those that no cycle comes before: in most graphs, none are left."""
    inside = set(nodes)
    waiting = {node: sum(other in inside for other in before(node)) for node in nodes}
    free = [node for node in nodes if not waiting[node]]
    for node in free:
        for other in behind(node):
            if other in inside:
                waiting[other] -= 1
                if not waiting[other]:
                    free.append(other)
    return [node for node in nodes if waiting[node]]


def _behind(node: Node, inside: set[Node]) -> set[Node]:
    found: set[Node] = set()
    pending = [node]
    for current in pending:
        new = [n for n in _targets(current) if n in inside and n not in found]
        found.update(new)
        pending += new
    return found
