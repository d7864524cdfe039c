"""Graphs as text, without running them or asking the machine: `sketch`, and ways to show one."""
