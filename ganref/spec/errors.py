"""The one exception that is meant for the person at the keyboard."""


class UserError(ValueError):
    """A mistake of the user's: what was wrong and what would be right, in one line.

    Command lines print it without a traceback and exit with code 2.
    """


class DoesNotApply(UserError):
    """What was asked for is not defined for such data, whatever the numbers are."""
