"""Ingest: journals into the store, once each, as they grow."""

from __future__ import annotations

from stepline.ingest.ingest import Ingest

__all__ = ["Ingest"]
