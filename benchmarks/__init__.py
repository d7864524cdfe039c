"""What it costs, measured as ratios within one run: `python -m benchmarks`."""
