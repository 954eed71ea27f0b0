"""Where languages are spoken, and how far apart, from URIEL's geography vectors.

URIEL states a language's place as its distances to 299 points on the globe, each as a share of half the globe's
circumference. The place that fits them best is found here, because a cosine of such vectors is no distance. The points
are given in whole degrees only; from two halves of them places come out 7 km apart. One place stands for a language,
and not always a good one: URIEL's Portuguese lies in Old Castile.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.config.manifests import language_table
from xltransfer.data.uriel import vectors
from xltransfer.data.uriel_codes import DEFAULT_SCHEME, Scheme, uriel_codes
from xltransfer.languages import LanguageTable

Matrix = NDArray[np.float64]

EARTH_RADIUS: Final = 6371.0088
"""Kilometres; mean radius of the globe."""


def coordinates(
    languages: Sequence[str], *, codes: Scheme = DEFAULT_SCHEME, table: LanguageTable | None = None
) -> pd.DataFrame:
    """Return the place of each language.

    Parameters
    ----------
    languages, codes, table
        As in :func:`.typology.similarity`; one language is enough.

    Returns
    -------
    DataFrame
        ``language, latitude, longitude`` in degrees, north and east positive, in the order of ``languages``; NaN where
        URIEL has no vector.

    Raises
    ------
    ConfigError
        A language or scheme is unknown.
    """
    geo = vectors("geo")
    found = uriel_codes(languages, geo, table or language_table(), codes)
    points = np.array([[float(part) for part in name.split("_")[1:]] for name in geo.features])
    places = located(geo.rows([code.code for code in found]), points)
    return pd.DataFrame(
        {"language": [code.language for code in found], "latitude": places[:, 0], "longitude": places[:, 1]}
    )


def located(shares: Matrix, points: Matrix) -> Matrix:
    """Return the places whose distances to ``points`` fit best.

    Parameters
    ----------
    shares
        [language, point]: great-circle distance as a share of half the circumference, 0 to 1; NaN where unknown.
    points
        [point, 2]: latitude and longitude in degrees.

    Returns
    -------
    [language, 2]
        Latitude and longitude in degrees; NaN where the shares hold a NaN.

    Notes
    -----
    The cosine of an angular distance is the product of two unit vectors, so the place is a linear least-squares
    problem in three unknowns, brought back to the sphere.
    """
    known = ~np.isnan(shares).any(axis=1)
    places = np.full((len(shares), 3), np.nan)
    places[known] = np.linalg.lstsq(_unit(points), np.cos(np.pi * shares[known]).T, rcond=None)[0].T
    x, y, z = (places / np.linalg.norm(places, axis=1, keepdims=True)).T
    degrees: Matrix = np.degrees(np.stack([np.arcsin(np.clip(z, -1.0, 1.0)), np.arctan2(y, x)], axis=1))
    return degrees


def kilometres(places: Matrix) -> Matrix:
    """Return the great-circle distance of every pair of ``places`` [place, 2] in degrees; NaN where one is NaN.

    By the haversine formula, which keeps its digits for near places.
    """
    latitude, longitude = np.radians(places).T
    half = np.sin((latitude[:, None] - latitude) / 2) ** 2
    half += np.cos(latitude[:, None]) * np.cos(latitude) * np.sin((longitude[:, None] - longitude) / 2) ** 2
    distances: Matrix = 2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))
    return distances


def _unit(points: Matrix) -> Matrix:
    """Return unit vectors [point, 3] of places in degrees."""
    latitude, longitude = np.radians(points).T
    flat = np.cos(latitude)
    return np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=1)
