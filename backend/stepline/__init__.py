"""Stepline: watch model training."""
__version__ = "0.1.0"
