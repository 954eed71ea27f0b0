"""The colours, all of them, chosen to be told apart with any of the common forms of colour blindness.

Families have the colours of FAMILY, tasks those of TASK with a marker of their own; unseen languages have UNSEEN,
which nothing else has. Blue to red through white (ColorBrewer's RdBu) shows changes, always centred at 0. The distances
between categories under simulated colour blindness are a test. Sources: P. Tol, "Colour schemes" (2021), muted and
bright; Okabe and Ito (2008) for UNSEEN.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import ArrayLike

FAMILY: Final = ("#332288", "#66CCEE", "#117733", "#CCBB44", "#AA4499")
"""The five families with most languages in the ``languages`` frame, the largest first."""

OTHER_FAMILY: Final = "#777777"
"""All other families: they are told apart by their names."""

UNSEEN: Final = "#D55E00"
SEEN: Final = "#B4C3CC"
UNKNOWN: Final = "#E0D8C0"
"""Languages that the base model was not, was, or may have been pretrained on."""

TASK: Final = (
    ("#222222", "o"),
    ("#44AA99", "s"),
    ("#CC6677", "^"),
    ("#999933", "D"),
    ("#882255", "v"),
    ("#88CCEE", "P"),
)
"""Colour and marker of tasks, in the order of their names; further ones begin again with another kind of line."""

DIVERGING: Final = "RdBu"

SEQUENTIAL: Final = "YlGnBu"
"""For quantities that are no changes, such as similarities: from pale to dark, and nowhere grey as undefined cells."""

UNDEFINED: Final = "#C4C4C4"
"""A cell that was measured and has no defined value."""


@dataclass(frozen=True)
class Centred:
    """Symmetric colour limits around 0, and on which sides values lie beyond them."""

    norm: Normalize
    extend: Literal["neither", "min", "max", "both"]

    @property
    def limit(self) -> float:
        """The largest value that has a colour of its own."""
        return float(self.norm.vmax or 0.0)


def centred(values: ArrayLike, limit: float | None = None, share: float = 98.0) -> Centred:
    """Return colour limits that a few extreme values cannot wash out.

    Parameters
    ----------
    values
        Any shape; NaN and infinite values are ignored.
    limit
        The limit, if it is to be the same in several figures. By default the percentile ``share`` of the absolute
        values, rounded up to two digits; the largest, where that is at most a quarter larger.

    Raises
    ------
    ValueError
        ``limit`` is not a positive number.
    """
    data = np.asarray(values, dtype=np.float64)
    data = data[np.isfinite(data)]
    if limit is None:
        limit = _robust_limit(np.abs(data), share)
    elif not (np.isfinite(limit) and limit > 0):
        raise ValueError(f"limit={limit!r} is not a positive number; it is the largest value with a colour of its own")
    below, above = bool((data < -limit).any()), bool((data > limit).any())
    extend: Any = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    return Centred(Normalize(-limit, limit), extend[below, above])


def _robust_limit(sizes: "np.ndarray[Any, np.dtype[np.float64]]", share: float) -> float:
    """Return the limit for absolute values; 1 where all are 0 or there is none."""
    if sizes.size == 0 or not sizes.max() > 0:
        return 1.0
    usual = float(np.percentile(sizes, share))
    return rounded_up(float(sizes.max()) if sizes.max() <= 1.25 * usual or usual == 0 else usual)


def rounded_up(value: float) -> float:
    """Return a positive value rounded up to two significant digits."""
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    # What is already round must stay: 0.3 / 0.01 is a little above 30.
    return float(np.ceil(value / unit - 1e-9) * unit)
