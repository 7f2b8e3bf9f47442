"""When something was heard in a sound of any length, in constant memory."""

import numpy as np

from eidophone.values import Floats

COLUMNS = 1024
STRAY = 0.01


class Timeline:
    """Gathers the probabilities of sources, window by window.

    The sums are exact. The course in time is kept in at most 1024 columns: when they are full, each two
    become one, the larger of both, so a short event is not lost in a long recording.

    Args:
        width: How many sources there are.
        step_s: Seconds from one window to the next.
    """

    def __init__(self, width: int, step_s: float) -> None:
        self._sum = np.zeros(width)
        self._squares = np.zeros(width)
        self._columns = np.zeros((COLUMNS, width), np.float32)
        self._step_s = step_s
        self._each = 1  # windows a column
        self._windows = 0

    def add(self, probabilities: Floats) -> None:
        """The next windows; (windows, width) in [0, 1], zeros for a silent one."""
        self._sum += probabilities.sum(0)
        self._squares += (probabilities**2).sum(0)
        for row in probabilities:
            if self._windows == COLUMNS * self._each:
                halved = self._columns.reshape(COLUMNS // 2, 2, -1).max(1)
                self._columns = np.concatenate([halved, np.zeros_like(halved)])
                self._each *= 2
            column = self._windows // self._each
            np.maximum(self._columns[column], row, out=self._columns[column])
            self._windows += 1

    def confidence(self, doubt: Floats) -> Floats:
        """Of each source in the whole sound, (width,).

        The mean of its probabilities weighed by themselves (linear softmax pooling; Wang, Li and Metze 2019):
        a bark in a minute of silence counts as a bark.

        Args:
            doubt: Windows of probability zero that count as sure ones for each source, (width,): a source
                that doubts wants to be heard more than once.
        """
        pooled: Floats = (self._squares / np.maximum(self._sum + doubt, 1e-6)).astype(np.float32)
        return pooled

    def span(self, source: int, window_s: float) -> tuple[float, float]:
        """From when to when a source is at least half as probable as at its surest, in seconds.

        Of all that, the first and the last hundredth are left out: a moment's mistake does not stretch it.

        Args:
            source: Which one.
            window_s: How long a window is.
        """
        course = self._columns[:, source]
        clear = np.where(course >= max(course.max() / 2, 1e-6), course.astype(np.float64), 0).cumsum()
        if not clear[-1]:
            return 0.0, 0.0
        first, last = np.searchsorted(clear, [STRAY * clear[-1], (1 - STRAY) * clear[-1]])
        column_s = self._each * self._step_s
        last_window = min((last + 1) * self._each, self._windows) - 1
        return float(first * column_s), float(last_window * self._step_s + window_s)
