"""Generated sample photos of fruit, for trying the pipeline out and for its tests."""
