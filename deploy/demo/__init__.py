"""The demo, and the real servers that demo, tests and benchmarks stand on."""
