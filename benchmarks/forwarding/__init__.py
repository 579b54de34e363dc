"""The parts of `benchmarks.forward`: one file per thing that is measured or measures."""
