"""YAML configurations: text with places, variables, and the graph that they describe."""

from pipeline.config.loader import load, loads

__all__ = ["load", "loads"]
