"""What a person at the keyboard can put right.

Every message is one sentence that names the input and says what to do. The command line prints it
without a traceback and exits with 2. `ValueError` stays for a wrong argument inside the program.
"""


class EidophoneError(Exception):
    """Something the user can put right; the message says how."""


class BadInput(EidophoneError):
    """A file, prompt or number that cannot be used as it is."""


class UnknownModel(EidophoneError):
    """A model name that is neither a card nor a folder; the message lists the known ones."""


class WeightsAbsent(EidophoneError):
    """A model that is known but not here; the message says how to get it."""


class ModelsDoNotFit(EidophoneError):
    """Two models that cannot share one latent; the message names both and what differs."""


class OutOfMemory(EidophoneError):
    """Memory ran out; the message says what needs less."""


class CannotWrite(EidophoneError):
    """A result that cannot be stored where it was asked for."""
