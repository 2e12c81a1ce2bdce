"""`wallprobe` and `python -m probe`: run a command and turn its end into an exit code."""

import os
import sys

import click
from click.shell_completion import shell_complete

from probe.cli import main as commands
from probe.model.errors import UserError

INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""
COMPLETE = "_WALLPROBE_COMPLETE"
"""Set by a shell that wants a word completed, or the code with which it does so: `bash_source`, `zsh_complete` ..."""


def run_command(arguments: list[str]) -> int:
    """Run one command; return 0 = it ran, 2 = your input, 130 = interrupted.

    Our own faults rise: Python shows where and exits with 1.
    """
    try:
        if instruction := os.environ.get(COMPLETE):
            return shell_complete(commands, {}, "wallprobe", COMPLETE, instruction)
        # Not `commands.main`: click ends the process itself when the reader of a pipe has gone.
        with commands.make_context("wallprobe", list(arguments)) as context:
            code = commands.invoke(context)
        sys.stdout.flush()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        page = ""
        if isinstance(error, click.UsageError):
            page = f"; see `{error.ctx.command_path if error.ctx is not None else 'wallprobe'} --help`"
        print(f"wallprobe: {error.format_message().rstrip('.')}{page}", file=sys.stderr)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`| head`). What is left in the buffer must not be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run the command given on the command line and exit."""
    sys.exit(run_command(sys.argv[1:]))


if __name__ == "__main__":
    main()
