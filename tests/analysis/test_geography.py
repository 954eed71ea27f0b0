"""Places and distances: places put in and found again, distances that are known, URIEL's own languages."""

import numpy as np
import pytest

from xltransfer.analysis.geography import EARTH_RADIUS, coordinates, kilometres, located


def globe(count=80, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([np.degrees(np.arcsin(rng.uniform(-1, 1, count))), rng.uniform(-180, 180, count)], axis=1)


def shares(places, points):
    """Distances as shares of half the circumference, by the spherical law of cosines."""
    (a, b), (c, d) = (np.radians(one).T for one in (places, points))
    cosines = np.sin(a)[:, None] * np.sin(c) + np.cos(a)[:, None] * np.cos(c) * np.cos(b[:, None] - d)
    return np.arccos(cosines) / np.pi


def test_a_place_is_found_from_its_distances():
    places = np.array([[0.0, 0.0], [52.0, -1.0], [-38.3, 176.6], [89.0, 10.0], [15.0, -180.0]])
    found = located(shares(places, globe()), globe())
    assert np.allclose(kilometres(np.stack([places, found]).reshape(-1, 2)).diagonal(5), 0, atol=1e-3)


def test_rounded_points_move_a_place_by_little():
    points, places = globe(299), globe(20, seed=1)
    found = located(shares(places, points), np.rint(points))
    assert kilometres(np.concatenate([places, found])).diagonal(20).max() < 12


def test_a_place_without_distances_is_nan():
    some = shares(np.array([[10.0, 20.0], [30.0, 40.0]]), globe())
    some[1, 3] = np.nan
    found = located(some, globe())
    assert np.allclose(found[0], [10, 20]) and np.isnan(found[1]).all()


def test_distances_that_are_known():
    # A quarter of the globe, half of it, one degree along a meridian; Paris to London is 344 km.
    quarter = np.pi / 2 * EARTH_RADIUS
    found = kilometres(np.array([[0.0, 0.0], [0.0, 90.0], [90.0, 0.0], [0.0, 180.0], [1.0, 0.0], [np.nan, 0.0]]))
    assert found[0, :5] == pytest.approx([0, quarter, quarter, 2 * quarter, quarter / 90])
    assert np.isnan(found[5]).all() and np.array_equal(found, found.T, equal_nan=True)
    assert kilometres(np.array([[48.8566, 2.3522], [51.5074, -0.1278]]))[0, 1] == pytest.approx(344, abs=1)


def test_languages_are_where_they_are_spoken():
    frame = coordinates(["eng", "fra", "jpn", "mri", "wol", "fin", "qaa"]).set_index("language")
    assert frame.index.tolist() == ["eng", "fra", "jpn", "mri", "wol", "fin", "qaa"]
    # Glottolog 2.7 to 3: English 53 N 1 W, French 48 N 2 E, Japanese 35 N 135 E, Maori 38.3 S 176.5 E.
    glottolog = {"eng": (53, -1), "fra": (48, 2), "jpn": (35, 135), "mri": (-38.29, 176.54)}
    for code, place in glottolog.items():
        assert frame.loc[code].tolist() == pytest.approx(place, abs=0.1), code
    assert 12 < frame.loc["wol", "latitude"] < 17 and 60 < frame.loc["fin", "latitude"] < 70
    assert frame.loc["qaa"].isna().all()
