"""The tables of all settings in docs/settings.md, made from the docstrings of the settings.

python -m cli.setting_reference
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from conf.setting_schema import Model, form, meaning, sections
from conf.settings import Settings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
BEGIN, END = "<!-- settings: made by make docs -->", "<!-- end of settings -->"
"""The marks between which the tables stand on the page."""


def page(text: str) -> str:
    """Return the page with its tables made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{markdown()}\n\n{END}{after}"


def markdown() -> str:
    """Return the sections of the settings, each with a table of its keys."""
    return "\n\n".join(
        part for name, section in sections(Settings).items() for part in _section(name, section)
    )


def _section(name: str, section: Model) -> Iterator[str]:
    yield f"### {name}"
    yield meaning(section)
    rows = [("setting", "meaning", "what to give"), ("---", "---", "---")]
    for key, field in section.model_fields.items():
        rows.append((f"`{name}.{key}`", meaning(field), form(field)))
    yield "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows
    )


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
