"""Running a graph: wiring, tasks, endings, and the report of what happened."""
