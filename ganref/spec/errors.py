"""The one exception that is meant for the person at the keyboard."""


class UserError(ValueError):
    """A mistake of the user's: what was wrong and what would be right, in one line.

    Command lines print it without a traceback and exit with code 2.
    """


class DoesNotApply(UserError):
    """What was asked for is not defined for such data, whatever the numbers are."""


# How frameworks and their libraries say it, in small letters; each has several errors for it.
MEMORY = ("out of memory", "out_of_memory", "resource_exhausted", "allocate memory", "bad_alloc",
          "alloc_failed", "unable to allocate", "failed to allocate")  # fmt: skip
ASSEMBLER = ("ptxas", "libdevice", "nvlink", "ptx compilation")


def says_memory(error: BaseException) -> bool:
    """Whether an error's words are that memory has run out."""
    return any(words in str(error).lower() for words in MEMORY)


def says_assembler(error: BaseException) -> bool:
    """Whether an error's words are that XLA misses what assembles its code for a GPU."""
    return any(words in str(error).lower() for words in ASSEMBLER)
