"""What click lacks in bash, zsh and fish: values behind an =, and no space behind `section.key=`."""

from __future__ import annotations

from typing import Any

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
)


class Bash(BashComplete):
    """bash, which splits words at = and :, so that a value such as `s3://bucket` would be three."""

    source_template = BashComplete.source_template.replace(
        "    return 0\n", "    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n    return 0\n"
    )

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one at the cursor, and that one."""
        before, incomplete = super().get_completion_args()
        words: list[str] = []
        is_open = False
        for word in [*before, incomplete]:
            is_sign = bool(word) and not word.strip("=:")
            if words and word and (is_open or is_sign):
                words[-1] += word
            else:
                words.append(word)
            is_open = is_sign
        return words[:-1], words[-1]


class WholeWords(ShellComplete):
    """A shell that puts what it is offered in the place of the whole word, as `--layer=silver`."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """What is offered for the word at the cursor."""
        found = super().get_completions(args, incomplete)
        option, sign, _ = incomplete.partition("=")
        if sign and option.startswith("--"):
            for each in (item for item in found if item.type == "plain"):
                each.value = f"{option}={each.value}"
        return found


class Zsh(WholeWords, ZshComplete):
    """zsh."""

    source_template = ZshComplete.source_template.replace(
        "        compadd -U -V unsorted",
        "        local -a ending\n"
        "        [[ $completions[1] == *= ]] && ending=(-S '')\n"
        '        compadd "${ending[@]}" -U -V unsorted',
    )


class Fish(WholeWords, FishComplete):
    """fish."""
