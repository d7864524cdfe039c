"""YAML files: text with places, variables, graphs and other typed contents."""

from pipeline.config.loader import check, check_file, load, loads
from pipeline.config.typed import read_yaml

__all__ = ["check", "check_file", "load", "loads", "read_yaml"]
