"""The command line, and the only place that knows every package."""

__version__ = "0.1.0"
