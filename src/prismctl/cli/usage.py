"""Click's refusals in the project's words, with the nearest name that would have been right."""

from __future__ import annotations

import click

from prismctl.domain.problems import nearest_name
from prismctl.errors import ConfigError, Problem


def explain_usage_error(error: click.ClickException) -> ConfigError:
    """A refusal of click as the project's own error: exit code 2, one line, a hint."""
    context = getattr(error, "ctx", None)
    hint = f"`{context.command_path} --help` shows what there is" if context else ""
    message, suggestion = _words_of(error)
    return ConfigError((Problem(message=message, suggestion=suggestion),), hint=hint)


def _words_of(error: click.ClickException) -> tuple[str, str]:
    if isinstance(error, click.NoSuchOption):
        known = _option_names(error.ctx)
        return f"no such option `{error.option_name}`", nearest_name(error.option_name, known)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        kind = "argument" if isinstance(error.param, click.Argument) else "option"
        return f"missing {kind} {_name_of(error.param)}", ""
    if isinstance(error, click.BadParameter) and error.param is not None:
        return f"{_name_of(error.param)}: {_sentence(error.message)}", ""
    return _sentence(error.format_message()), ""


def _option_names(context: click.Context | None) -> list[str]:
    if context is None:
        return []
    return [name for parameter in context.command.get_params(context) for name in parameter.opts]


def _name_of(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        return (parameter.metavar or parameter.human_readable_name).strip("[].…")
    return max(parameter.opts, key=len)


def _sentence(message: str) -> str:
    """Click's sentence in this program's form: lower case, no full stop, one line, backticks."""
    words = " ".join(message.split()).rstrip(".").replace("'", "`")
    return words[:1].lower() + words[1:]
