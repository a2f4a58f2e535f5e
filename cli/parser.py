"""The words of the command line, parsed by the registry of commands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cli.command import Command, Parser, Words, one_of, photo_count
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


def parse(words: Sequence[str]) -> Words:
    """The words of the command line. Raises BadInput."""
    shared = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    add_shared_options(shared)
    parser = Parser(
        prog="run.py",
        description="Photos of fruit through bronze, silver and gold.",
        epilog=_examples(*RUNS, *(command.example for command in COMMANDS)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared],
    )
    add_layer_options(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        _add(commands, shared, command)
    return _checked(parser.parse_args(_with_known_command(words)))


def add_shared_options(parser: Parser) -> None:
    """Adds the options that stand before or after a command's name."""
    parser.add_argument("--conf", metavar="NAME", help="local, emr or a TOML file (default: local)")
    parser.add_argument("--landing", metavar="FOLDER", help="where photos arrive (paths.landing)")
    parser.add_argument("--lake", metavar="FOLDER", help="where the tables live (paths.lake)")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", help="any setting, as section.key=value"
    )
    parser.add_argument("--extractor", metavar="NAME", help="a file in silver/extractors")
    parser.add_argument(
        "--weights", metavar="WEIGHTS", help="imagenet, a file or s3:// URI, or random:SEED"
    )
    parser.add_argument(
        "--log", metavar="FORM", choices=LOGS, help="text, or json: an object a line"
    )
    parser.add_argument("--debug", action="store_true", help="show a traceback with an error")


def add_layer_options(parser: Parser) -> None:
    """Adds the options that run layers, which stand where a command would."""
    parser.add_argument("--layer", metavar="LAYER", help="bronze, silver, gold or all")
    parser.add_argument(
        "--samples", metavar="N", help="first make sure that landing holds N generated photos"
    )


def _add(commands: argparse._SubParsersAction[Parser], shared: Parser, command: Command) -> None:
    """Adds a command, whose own help ends with its example, and its subcommands."""
    parser = commands.add_parser(
        command.name,
        parents=[shared],
        help=command.help,
        description=f"{command.help[0].upper()}{command.help[1:]}.",
        epilog=_examples(command.example),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    if command.subcommands:
        names = "|".join(each.name for each in command.subcommands)
        doing = parser.add_subparsers(dest="doing", metavar=names, required=True)
        for each in command.subcommands:
            _add(doing, shared, each)


def _examples(*examples: tuple[str, str]) -> str:
    """The examples as they stand below the options of a help text."""
    width = max(len(words) for words, _ in examples if len(words) < 50) + 2
    lines = (f"  python run.py {words.ljust(width)}{gives}".rstrip() for words, gives in examples)
    return "\n".join(["examples:" if len(examples) > 1 else "example:", *lines])


def _with_known_command(words: Sequence[str]) -> Sequence[str]:
    """The words. Raises BadInput for a first word that is no command, with the nearest one, where argparse
    would only list them all."""
    if words and not words[0].startswith("-"):
        otherwise = f"the commands are {', '.join(BY_NAME)}."
        one_of(words[0], BY_NAME, what="command", otherwise=otherwise)
    return words


def _checked(words: Words) -> Words:
    """The words, where they go together. Raises BadInput."""
    if words.layer and words.command:
        raise BadInput(f"--layer and {words.command} don't go together; call one after the other.")
    if not words.layer and not words.command:
        raise BadInput(f"Say what to do: --layer {'|'.join(LAYERS)}|all, or {', '.join(BY_NAME)}.")
    if words.layer:
        otherwise = f"name one of {', '.join(LAYERS)} or all."
        one_of(words.layer, (*LAYERS, "all"), what="layer", otherwise=otherwise)
    if words.samples is not None:
        photo_count(words.samples)
    if words.command:
        BY_NAME[words.command].check(words)
    return words
