"""Measure kernels and whole suites on this machine; results are JSON, and nothing here is a test."""
