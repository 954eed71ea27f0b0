"""Everything that may go with transfer from one language to another, one row a pair and feature.

Pairs are ordered, because a transfer has a direction and some features do too: the subwords of the transfer language's
corpus are not those of the target's test set. Symmetric features stand in both orders. Every feature has a ``kind``
that says what a correlation with it means:

    similarity   larger is nearer: URIEL's sets, same script, family and genus, shared vocabulary
    distance     larger is farther: kilometres, difference of fertilities
    one_sided    of one language alone: fertility of the transfer or of the target language

Undefined is NaN with a reason, never 0: a language without a vector, a pair of texts that was not counted, a language
of no family (creoles, constructed and signed languages, code switching).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.geography import coordinates, kilometres
from xltransfer.analysis.typology import REASONS, Measure, similarities
from xltransfer.config.manifests import language_table
from xltransfer.data.uriel import FEATURE_SETS
from xltransfer.data.uriel_codes import DEFAULT_SCHEME, Scheme
from xltransfer.languages import Language, LanguageTable

if TYPE_CHECKING:
    from xltransfer.config.resolve import ResolvedStudy
    from xltransfer.data.text_counts import StudyTexts, TextCounts

Matrix = NDArray[np.float64]

NO_FAMILY: Final = ("other", "code switching", "")
"""Families, in lower case, whose members are not related."""

NO_TEXT: Final = "no text of both languages was counted, or one is mostly unknown to the tokenizer"
"""Why a feature of texts is undefined."""

TEXT_KINDS: Final[Mapping[str, str]] = {
    "fertility_transfer": "one_sided",
    "fertility_target": "one_sided",
    "fertility_difference": "distance",
    "vocabulary_jaccard": "similarity",
    "token_overlap": "similarity",
}
"""Features of texts, and their kinds."""


@dataclass(frozen=True, eq=False)
class _Feature:
    """One feature of all pairs: values [transfer, target] and, where they are NaN, why."""

    name: str
    kind: str
    values: Matrix
    why: NDArray[np.object_] | str
    coverage: Matrix | None = None


def pair_features(
    study: "ResolvedStudy",
    texts: "StudyTexts | None" = None,
    *,
    measure: Measure = "cosine",
    codes: Scheme = DEFAULT_SCHEME,
    least: int = 1,
) -> pd.DataFrame:
    """Return the features of every pair of a study: its transfer languages by the target languages of all its tasks.

    Parameters
    ----------
    study
        The study; only its languages are read.
    texts
        What :func:`xltransfer.data.text_counts.study_texts` counted (it needs the data and the tokenizer). Without it
        there are no features of texts.
    measure, codes, least
        As in `language_pairs`.

    Returns
    -------
    DataFrame
        As `language_pairs`.
    """
    transfers = dict.fromkeys(ref.language for ref in study.corpora)
    targets = dict.fromkeys(ref.language for task in study.study.tasks for ref in study.targets[task.name])
    return language_pairs(
        list(transfers), list(targets), study.languages, texts, measure=measure, codes=codes, least=least
    )


def language_pairs(
    transfers: Sequence[str],
    targets: Sequence[str],
    table: LanguageTable | None = None,
    texts: "StudyTexts | None" = None,
    *,
    measure: Measure = "cosine",
    codes: Scheme = DEFAULT_SCHEME,
    least: int = 1,
    sets: Sequence[str] = FEATURE_SETS,
) -> pd.DataFrame:
    """Return the features of every ordered pair of a transfer and a target language.

    Parameters
    ----------
    transfers, targets
        Codes or aliases, each language at most once on a side.
    table
        Languages; by default the shipped ones.
    texts
        Counted texts by language code; None leaves the features of texts out.
    measure, codes, least
        Of URIEL's sets, see :func:`.typology.similarity`.
    sets
        Which of URIEL's sets; all of them by default.

    Returns
    -------
    DataFrame
        ``transfer, target, self_transfer, feature, kind`` (see the module), ``value``, ``coverage`` (of URIEL's sets:
        the share of features known of both, else NaN) and ``why`` (empty, or why the value is NaN). Features in this
        order: URIEL's sets; same_script (a script in common), same_family, same_genus (0 or 1); kilometres (great
        circle); and of the texts fertility_transfer, fertility_target (subwords a word), fertility_difference
        (absolute), vocabulary_jaccard (distinct subwords of both over those of either) and token_overlap (sum over
        subwords of the smaller of the two relative frequencies).

    Raises
    ------
    ConfigError
        With every unknown language.
    ValueError
        A side is empty or has a language twice, or there is only one language in all.

    Notes
    -----
    The two overlaps grow with the texts and count digits and punctuation too; compare pairs of one study, not numbers
    of two. Unknown tokens are not vocabulary, but each is one subword in a fertility.
    """
    known = table or language_table()
    sides = [_keys(side, known, name) for side, name in ((transfers, "transfers"), (targets, "targets"))]
    every = list(dict.fromkeys([*sides[0], *sides[1]]))
    row, column = (np.array([every.index(key) for key in side], dtype=np.intp) for side in sides)
    square = [*_uriel(every, sets, measure, codes, least, known), *_classes(every, known), _far(every, codes, known)]
    features = [_part(feature, row, column) for feature in square]
    if texts is not None:
        features += _of_texts([texts.transfers.get(key) for key in sides[0]], [texts.targets.get(k) for k in sides[1]])
    return _tidy(features, *sides)


def text_pairs(texts: "StudyTexts") -> pd.DataFrame:
    """Return the features of texts alone, of every ordered pair of languages whose texts were counted.

    Parameters
    ----------
    texts
        What :func:`xltransfer.data.text_counts.study_texts` counted.

    Returns
    -------
    DataFrame
        As `language_pairs`.
    """
    sides = list(texts.transfers), list(texts.targets)
    return _tidy(_of_texts(list(texts.transfers.values()), list(texts.targets.values())), *sides)


def pair_matrix(pairs: pd.DataFrame, feature: str) -> pd.DataFrame:
    """Return one feature as a frame of transfer languages by target languages, in the order of ``pairs``.

    Raises
    ------
    ValueError
        ``pairs`` has no such feature.
    """
    rows = pairs[pairs["feature"] == feature]
    if rows.empty:
        raise ValueError(f"feature={feature!r} is not in pairs; it has {', '.join(pairs['feature'].unique())}")
    wide = rows.pivot(index="transfer", columns="target", values="value")
    return wide.reindex(index=rows["transfer"].unique(), columns=rows["target"].unique())


def _keys(side: Sequence[str], table: LanguageTable, name: str) -> list[str]:
    """Return the keys of one side's languages."""
    keys = [table.get(code).code if code in table else code for code in side]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if not keys or twice:
        said = f"holds {', '.join(twice)} twice (aliases are one language)" if twice else "is empty"
        raise ValueError(f"{name} {said}; give each language once")
    return keys


def _part(feature: _Feature, row: NDArray[np.intp], column: NDArray[np.intp]) -> _Feature:
    """Return the rows and columns of a feature of all pairs."""
    at = np.ix_(row, column)
    return replace(
        feature,
        values=feature.values[at],
        why=feature.why if isinstance(feature.why, str) else feature.why[at],
        coverage=None if feature.coverage is None else feature.coverage[at],
    )


def _uriel(
    every: list[str], sets: Sequence[str], measure: Measure, codes: Scheme, least: int, table: LanguageTable
) -> list[_Feature]:
    """Return URIEL's sets."""
    found = {name: similarities(every, name, measure, codes=codes, least=least, table=table) for name in sets}
    reasons = np.array(REASONS, dtype=object)
    return [
        _Feature(name, "similarity", one.values, reasons[one.reason], one.shared / one.n_features)
        for name, one in found.items()
    ]


def _classes(every: list[str], table: LanguageTable) -> list[_Feature]:
    """Return whether two languages share script, family and genus."""
    languages = [table.get(key) if key in table else None for key in every]
    scripts = [frozenset(one.script.split("+")) - {""} if one else frozenset() for one in languages]
    families = [_class(one, "family") for one in languages]
    genera = [_class(one, "genus") for one in languages]
    return [
        _Feature("same_script", "similarity", _same(scripts), "a script is not known"),
        _Feature("same_family", "similarity", _same(families), "a language of no family"),
        _Feature("same_genus", "similarity", _same(genera), "a language of no family"),
    ]


def _class(language: Language | None, level: str) -> frozenset[str]:
    """Return a language's family, or its family and genus, as one name; nothing where it has no family."""
    if language is None or language.family.lower() in NO_FAMILY:
        return frozenset()
    return frozenset([language.family if level == "family" else f"{language.family}\t{language.genus}"])


def _same(names: Sequence[frozenset[str]]) -> Matrix:
    """Return 1 where two sets of names have one in common, else 0; NaN where one is empty."""
    values = np.full((len(names), len(names)), np.nan)
    for i, first in enumerate(names):
        for j, second in enumerate(names):
            if first and second:
                values[i, j] = float(bool(first & second))
    return values


def _far(every: list[str], codes: Scheme, table: LanguageTable) -> _Feature:
    """Return great-circle distances."""
    places = coordinates(every, codes=codes, table=table)[["latitude", "longitude"]].to_numpy(dtype=np.float64)
    return _Feature("kilometres", "distance", kilometres(places), "a language without a place")


def _of_texts(transfers: "Sequence[TextCounts | None]", targets: "Sequence[TextCounts | None]") -> list[_Feature]:
    """Return the features of texts; NaN where a language has none."""
    first, second = ([np.nan if one is None else one.fertility for one in side] for side in (transfers, targets))
    across, down = np.meshgrid(second, first)
    values = (down, across, np.abs(down - across), *_vocabulary(transfers, targets))
    return [_Feature(name, kind, one, NO_TEXT) for (name, kind), one in zip(TEXT_KINDS.items(), values, strict=True)]


def _vocabulary(
    transfers: "Sequence[TextCounts | None]", targets: "Sequence[TextCounts | None]"
) -> tuple[Matrix, Matrix]:
    """Return the Jaccard index of the distinct subwords, and the overlap of their relative frequencies.

    A text that has no fertility, being mostly unknown to the tokenizer, has no vocabulary either: the few subwords that
    are known say little of it.
    """
    jaccard = np.full((len(transfers), len(targets)), np.nan)
    overlap = np.full((len(transfers), len(targets)), np.nan)
    read = {j: one for j, one in enumerate(targets) if one is not None and _is_readable(one)}
    there, parts = list(read), list(read.values())
    if not parts:
        return jaccard, overlap
    tokens, shares = np.concatenate([one.tokens for one in parts]), np.concatenate([_shares(one) for one in parts])
    owner = np.repeat(np.arange(len(parts)), [one.tokens.size for one in parts])
    sizes = np.array([one.tokens.size for one in parts])
    for i, mine in enumerate(transfers):
        if mine is None or not _is_readable(mine):
            continue
        own = np.zeros(max(int(tokens.max()), int(mine.tokens.max())) + 1)
        own[mine.tokens] = _shares(mine)
        common = np.bincount(owner, own[tokens] > 0, len(parts))
        jaccard[i, there] = common / (sizes + mine.tokens.size - common)
        overlap[i, there] = np.bincount(owner, np.minimum(own[tokens], shares), len(parts))
    return jaccard, overlap


def _is_readable(counts: "TextCounts") -> bool:
    """Return whether a text has known subwords, and no fewer of them than of unknown ones."""
    return bool(counts.tokens.size) and not math.isnan(counts.fertility)


def _shares(counts: "TextCounts") -> Matrix:
    """Return the relative frequencies of a text's subwords."""
    return np.asarray(counts.counts / counts.counts.sum(), dtype=np.float64)


def _tidy(features: Sequence[_Feature], transfers: list[str], targets: list[str]) -> pd.DataFrame:
    """Return one row a pair and feature, feature after feature."""
    size = len(transfers) * len(targets)
    labels: Mapping[str, list[str]] = {
        "transfer": [key for key in transfers for _ in targets],
        "target": [*targets] * len(transfers),
    }
    frame = pd.DataFrame({name: pd.array(keys * len(features), dtype="str") for name, keys in labels.items()})
    frame["self_transfer"] = frame["transfer"] == frame["target"]
    for column in ("feature", "kind"):
        texts = [feature.name if column == "feature" else feature.kind for feature in features]
        frame[column] = pd.array(texts, dtype="str").take(np.repeat(np.arange(len(features)), size))
    frame["value"] = np.concatenate([feature.values.ravel() for feature in features])
    unknown = np.full(size, np.nan)
    frame["coverage"] = np.concatenate([unknown if one.coverage is None else one.coverage.ravel() for one in features])
    why = [np.broadcast_to(np.asarray(feature.why, dtype=object), feature.values.shape) for feature in features]
    reasons = np.concatenate([one.ravel() for one in why])
    frame["why"] = pd.array(np.where(frame["value"].isna(), reasons, ""), dtype="str")
    return frame
