"""The tests, under the names of the modules that they test."""
