"""The journal that the vectors are driven on, for other tests of the pipeline."""

from ytwatcher.streaming.vectors.journal import Journal

__all__ = ["Journal"]
