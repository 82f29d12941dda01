"""The command line `cta-data`."""

from cta_data.cli.interruption import interruptible


def main() -> None:
    """Run the command line; the exit code is 0, 1, 2 or 3 as the reference says.

    After SIGINT it is 130, after SIGTERM 143, from the first moment on.
    """
    with interruptible():
        # Loading all that commands need takes time, in which somebody may press Ctrl-C.
        from cta_data.cli.application import run

        run()


__all__ = ["main"]
