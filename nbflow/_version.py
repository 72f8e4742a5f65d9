"""The version, in one place: packaging and the lab extension's test read it from here."""

__all__ = ["__version__"]

__version__ = "0.1.0"
