"""The command reference, made from the parser and the option models.

`python -m docs.tools.commands` prints the page that the site shows as `reference/commands.md`.
"""

import argparse
from collections.abc import Iterator
from typing import Any

from eidophone.cli.program import build_parser
from eidophone.verbs import VERBS

HEAD = """# Command reference

This page is generated from the program's own options, so it always matches the installed version.
`eidophone COMMAND --help` shows the same text in the terminal.

"""


def page() -> str:
    """The whole page as Markdown."""
    return HEAD + "\n".join(_section(path, parser) for path, parser in commands())


def commands(
    parser: argparse.ArgumentParser | None = None, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every command that runs something, with the words that call it, such as ("models", "list")."""
    parser = parser or build_parser()
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield path, parser
    for action in below:
        for name, child in action.choices.items():
            yield from commands(child, (*path, name))


def options_of(verb: str) -> Any:
    """The option model of a verb; None for a command that is not a verb."""
    row = VERBS.get(verb)
    return row if row is None or isinstance(row, type) else row.options


def _section(path: tuple[str, ...], parser: argparse.ArgumentParser) -> str:
    options = options_of(path[-1])
    parts = [f"## {' '.join(path)}", _about(parser), f"```\n{_usage(path, parser)}\n```"]
    for group in parser._action_groups:
        rows = [row for action in group._group_actions if (row := _row(action, options))]
        if rows:
            title = {"positional arguments": "Arguments", "options": "Options"}.get(group.title or "")
            parts.append(_table(title or (group.title or "Options").capitalize(), rows))
    if options is not None and options.PRESETS:
        parts.append(_presets(options.PRESETS))
    return "\n\n".join(parts) + "\n"


def _about(parser: argparse.ArgumentParser) -> str:
    return (parser.description or "").strip() or "See the arguments below."


def _usage(path: tuple[str, ...], parser: argparse.ArgumentParser) -> str:
    """One line: the command, its arguments, and that it takes options."""
    words = [_argument(action) for action in parser._actions if not action.option_strings]
    takes_options = any(action.option_strings for action in parser._actions if action.dest != "help")
    return " ".join(["eidophone", *path, *words, *(["[OPTIONS]"] if takes_options else [])])


def _argument(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest.upper())
    return {"+": f"{name}...", "*": f"[{name}...]", "?": f"[{name}]"}.get(str(action.nargs), name)


def _row(action: argparse.Action, options: Any) -> tuple[str, str] | None:
    """The first cell (how it is written) and the second (what it means)."""
    if action.dest == "help":
        return None
    meaning = action.help
    if meaning == argparse.SUPPRESS:  # hidden from the short help, not from this page
        field = None if options is None else options.model_fields.get(action.dest)
        if field is None:
            return None
        meaning = field.description
    name = ", ".join(action.option_strings) or _argument(action)
    value = f" {action.metavar}" if action.option_strings and action.nargs != 0 and action.metavar else ""
    return f"`{name}{value}`", (meaning or "").replace("%%", "%")


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"| {title} | Meaning |", "|---|---|"]
    return "\n".join([*lines, *(f"| {_cell(name)} | {_cell(meaning)} |" for name, meaning in rows)])


def _presets(presets: dict[str, dict[str, Any]]) -> str:
    """A table with a column for each preset; a dash where it leaves the default."""
    settings = list(dict.fromkeys(name for preset in presets.values() for name in preset))
    lines = [f"| Presets | {' | '.join(presets)} |", "|---|" + "---|" * len(presets)]
    for name in settings:
        values = [_value(preset[name]) if name in preset else "-" for preset in presets.values()]
        lines.append(f"| `--{name.rstrip('_').replace('_', '-')}` | {' | '.join(values)} |")
    return "\n".join(lines)


def _value(given: Any) -> str:
    if given is None or isinstance(given, bool):
        return {None: "none", True: "yes", False: "no"}[given]
    return str(given)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


if __name__ == "__main__":
    print(page())
