"""The words of the command line, parsed by the registry of commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from cli import usage_errors
from cli.command import Command, Words, one_of, photo_count
from cli.completion import extractors, setting_files, settings
from cli.parameters import Option, flag
from cli.registry import BY_NAME, COMMANDS
from conf.errors import BadInput
from lake.enums import LAYERS

LOGS = ("text", "json")

RUNS = (
    ("--layer all --samples 60", "generate photos, then run all layers"),
    ("--layer all --landing photos", "your own folder of photos"),
    ("--layer all --log json", "an object a line, for whoever gathers logs"),
    ("--layer silver --extractor mobilenet_v2 --weights mobilenet.weights.h5", ""),
    ("replay --chunk 7 --quarantine", "a blocked chunk into quarantine"),
)
"""Examples of whole calls: what to type after `python run.py`, and what it gives."""

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "allow_extra_args": True}


def shared_options() -> list[Option]:
    """The options that stand before or after a command's name."""
    return [
        Option(
            "--conf",
            "NAME",
            "local, emr or a TOML file (default: local)",
            offered=setting_files,
            takes_path=True,
        ),
        Option("--landing", "FOLDER", "where photos arrive (paths.landing)", takes_path=True),
        Option("--lake", "FOLDER", "where the tables live (paths.lake)", takes_path=True),
        Option(
            "--set",
            "KEY=VALUE",
            "any setting, as section.key=value",
            multiple=True,
            offered=settings,
        ),
        Option("--extractor", "NAME", "a file in silver/extractors", offered=extractors),
        Option(
            "--weights",
            "WEIGHTS",
            "imagenet, a file or s3:// URI, or random:SEED",
            takes_path=True,
        ),
        Option("--log", "FORM", "text, or json: an object a line", choices=LOGS),
        flag("--debug", "show a traceback with an error"),
    ]


def layer_options() -> list[Option]:
    """The options that run layers, which stand where a command would."""
    return [
        Option("--layer", "LAYER", "bronze, silver, gold or all", choices=(*LAYERS, "all")),
        Option("--samples", "N", "first make sure that landing holds N generated photos"),
    ]


def parse(words: Sequence[str]) -> Words:
    """The words of the command line. Raises BadInput; SystemExit where help was asked for and shown."""
    parsed = Words(command=None, doing=None)
    try:
        with whole().make_context("run.py", list(words), obj=parsed) as context:
            context.command.invoke(context)
    except click.exceptions.Exit as done:
        raise SystemExit(done.exit_code) from None
    except click.UsageError as error:
        raise usage_errors.bad_input(error) from None
    return _checked(parsed)


def whole() -> click.Group:
    """The command line as click knows it."""
    return _Commands(
        "run.py",
        [_made(command) for command in COMMANDS],
        invoke_without_command=True,
        params=[*layer_options(), *shared_options()],
        callback=_keep,
        help="Photos of fruit through bronze, silver and gold.",
        epilog=_examples(*RUNS, *(command.example for command in COMMANDS)),
        context_settings=HELP,
        subcommand_metavar="[COMMAND …]",
    )


class _Command(click.Command):
    """A command whose errors all say which command they are of; click's parser leaves it out of some."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the words of this command. Raises click's errors."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise


class _Commands(_Command, click.Group):
    """Commands in the registry's order, of which a wrong name is told with the nearest one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, as help shows them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first word. Raises BadInput where there is none."""
        parent = "" if ctx.parent is None else f"{ctx.info_name} "
        otherwise = f"the commands are {', '.join(self.commands)}."
        one_of(args[0], self.commands, what=f"command {parent}".rstrip(), otherwise=otherwise)
        return super().resolve_command(ctx, args)


def _made(command: Command) -> click.Command:
    """A command as click knows it; its help ends with its example."""
    facts: dict[str, Any] = {
        "params": [*command.parameters, *shared_options()],
        "callback": _keep,
        "help": f"{command.help[0].upper()}{command.help[1:]}.",
        "short_help": command.help,
        "epilog": _examples(command.example),
        "context_settings": HELP,
    }
    if command.subcommands:
        inner = [_made(each) for each in command.subcommands]
        return _Commands(command.name, inner, invoke_without_command=True, **facts)
    return _Command(command.name, **facts)


@click.pass_context
def _keep(context: click.Context, /, **given: Any) -> None:
    """Keeps what was given to a command, beside what stood before its name."""
    words: Words = context.obj
    if context.parent is not None:
        is_inner = context.parent.parent is not None
        setattr(words, "doing" if is_inner else "command", context.info_name)
    for name, value in given.items():
        before = getattr(words, name, None)
        if name == "set":
            words.set = [*(before or ()), *value]
        elif before is None or value:
            setattr(words, name, value)
    if isinstance(context.command, click.Group) and context.invoked_subcommand:
        return
    usage_errors.check_left_over(context)


def _examples(*examples: tuple[str, str]) -> str:
    """The examples as they stand below the options of a help text. The first line keeps click from joining
    the others."""
    width = max(len(words) for words, _ in examples if len(words) < 50) + 2
    lines = (f"  python run.py {words.ljust(width)}{gives}".rstrip() for words, gives in examples)
    return "\n".join(["\b", "examples:" if len(examples) > 1 else "example:", *lines])


def _checked(words: Words) -> Words:
    """The words, where they go together. Raises BadInput."""
    if words.layer and words.command:
        raise BadInput(f"--layer and {words.command} don't go together; call one after the other.")
    if not words.layer and not words.command:
        raise BadInput(f"Say what to do: --layer {'|'.join(LAYERS)}|all, or {', '.join(BY_NAME)}.")
    if words.samples is not None:
        if words.command:
            raise BadInput(
                f"--samples goes with --layer; type python run.py samples {words.samples}."
            )
        photo_count(words.samples)
    if words.command:
        command = BY_NAME[words.command]
        if command.subcommands and not words.doing:
            doing = "|".join(each.name for each in command.subcommands)
            raise BadInput(f"Say what to do: {command.name} {doing}.")
        command.check_words(words)
    return words


def overrides(words: Words) -> list[str]:
    """The flags as `section.key=value`, the plain flags after those of `--set`, so that they win."""
    flags = {
        "paths.landing": words.landing,
        "paths.lake": words.lake,
        "model.extractor": words.extractor,
        "model.weights": words.weights,
    }
    named = [f"{key}={value}" for key, value in flags.items() if value is not None]
    return [*words.set, *named]
