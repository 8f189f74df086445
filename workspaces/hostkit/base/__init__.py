"""Base classes and helpers for the modules of `agents`. Nothing here is specific to one CLI."""
