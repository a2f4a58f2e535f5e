"""The words of the command line, parsed by the registry of commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from cli import completion, usage_errors
from cli.command import CALL, Command, Words, photo_count
from cli.parameters import PATH, Flag, Option
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


def parse(words: Sequence[str]) -> Words:
    """The words of the command line. A shared option is among them only if somebody gave it.

    Raises BadInput; SystemExit where help was asked for, which is shown.
    """
    parsed = Words(command=None, doing=None)
    try:
        with whole().make_context(CALL, list(words), obj=parsed) as context:
            context.command.invoke(context)
    except click.exceptions.Exit as done:
        raise SystemExit(done.exit_code) from None
    except click.UsageError as error:
        raise usage_errors.bad_input(error, words) from None
    return _checked(parsed)


def shared_options() -> list[click.Option]:
    """The options that stand before or after a command's name."""
    conf, weights = "local, emr or a TOML file (default: local)", "imagenet, a file or s3:// URI, "
    return [
        Option("--conf", "NAME", conf, offered=completion.setting_files, type=PATH),
        Option("--landing", "FOLDER", "where photos arrive (paths.landing)", type=PATH),
        Option("--lake", "FOLDER", "where the tables live (paths.lake)", type=PATH),
        Option(
            "--set",
            "KEY=VALUE",
            "any setting, as section.key=value",
            multiple=True,
            offered=completion.settings,
        ),
        Option("--extractor", "NAME", "a file in silver/extractors", offered=completion.extractors),
        Option("--weights", "WEIGHTS", f"{weights}or random:SEED", type=PATH),
        Option(
            "--precision",
            "PRECISION",
            "float32, or bfloat16 or int8 where the processor has it",
            offered=completion.precisions,
        ),
        Option("--log", "FORM", "text, or json: an object a line", choices=LOGS, what="log form"),
        Flag("--debug", "show a traceback with an error"),
    ]


def layer_options() -> list[click.Option]:
    """The options that run layers, which stand where a command would."""
    return [
        Option("--layer", "LAYER", "bronze, silver, gold or all", choices=(*LAYERS, "all")),
        Option("--samples", "N", "first make sure that landing holds N generated photos"),
    ]


def whole() -> click.Group:
    """The command line as click knows it."""
    return _Commands(
        CALL,
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
    """A command whose errors all say which command they are of."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the words of this command. Raises click's errors."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The option that shows help, told in the form of the others."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = "show this text"
        return option


class _Commands(_Command, click.Group):
    """Commands in the registry's order, of which a wrong name is told with the nearest one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, as help shows them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first word. Raises BadInput where there is none."""
        if args[0] not in self.commands and not ctx.resilient_parsing:
            raise usage_errors.no_such_command(ctx, args[0])
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
        facts |= {"invoke_without_command": True, "subcommand_metavar": "COMMAND …"}
        return _Commands(command.name, inner, **facts)
    return _Command(command.name, **facts)


@click.pass_context
def _keep(context: click.Context, /, **given: Any) -> None:
    """Keeps what was given to a command, beside what stood before its name."""
    words: Words = context.obj
    if context.parent is not None:
        is_inner = context.parent.parent is not None
        setattr(words, "doing" if is_inner else "command", context.info_name)
    shared = {option.name for option in shared_options()}
    for name, value in given.items():
        if name not in shared:
            setattr(words, name, value)
        elif context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            setattr(words, name, [*getattr(words, name, ()), *value] if name == "set" else value)
    if not (isinstance(context.command, click.Group) and context.invoked_subcommand):
        usage_errors.check_left_over(context)


def _examples(*examples: tuple[str, str]) -> str:
    """The examples as they stand below the options of a help text. The first line keeps click from joining
    the others."""
    width = max(len(words) for words, _ in examples if len(words) < 50) + 2
    lines = (f"  {CALL} {words.ljust(width)}{gives}".rstrip() for words, gives in examples)
    return "\n".join(["\b", "examples:" if len(examples) > 1 else "example:", *lines])


def _checked(words: Words) -> Words:
    """The words, where they go together. Raises BadInput."""
    if words.layer and words.command:
        raise BadInput(f"--layer and {words.command} don't go together; call one after the other.")
    if words.samples is not None:
        photo_count(words.samples)
        if not words.layer:
            raise BadInput(
                f"--samples goes with --layer; call {CALL} samples {words.samples} for photos alone."
            )
    if not words.layer and not words.command:
        todo = f"--layer {'|'.join(LAYERS)}|all, or {', '.join(BY_NAME)}"
        raise BadInput(f"Say what to do: {todo}; {CALL} --help says more.")
    if words.command:
        command = BY_NAME[words.command]
        if command.subcommands and not words.doing:
            doing = "|".join(each.name for each in command.subcommands)
            raise BadInput(
                f"Say what {command.name} is to do: {doing}; for example {CALL} {command.example[0]}."
            )
        command.check_words(words)
    return words
