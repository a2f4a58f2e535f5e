"""The flags that set settings: `--set`, and those with a name of their own, such as `--lake`."""

from __future__ import annotations

from cli.command import Words

FLAGS = {
    "paths.landing": "landing",
    "paths.lake": "lake",
    "model.extractor": "extractor",
    "model.weights": "weights",
    "model.precision": "precision",
}
"""The settings that have a flag of their own, with its name."""


def overrides(words: Words) -> list[str]:
    """The flags as `section.key=value`, the plain flags after those of `--set`, so that they win."""
    flags = {key: getattr(words, flag, None) for key, flag in FLAGS.items()}
    named = [f"{key}={value}" for key, value in flags.items() if value is not None]
    return [*getattr(words, "set", ()), *named]


def flag_of(words: Words, key: str) -> str:
    """The flag that has set a setting, as a user writes it."""
    own = FLAGS.get(key)
    return f"--{own}" if own and getattr(words, own, None) is not None else "--set"
