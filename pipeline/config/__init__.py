"""YAML files: text with places, variables, graphs and other typed contents."""

from pipeline.config.loader import load, loads
from pipeline.config.typed import read_yaml

__all__ = ["load", "loads", "read_yaml"]
