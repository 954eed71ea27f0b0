"""Interference: worked tables by hand, every sign pattern counted by brute force, and what a frame must not hold."""

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

from xltransfer.analysis.interference import interference
from xltransfer.analysis.interference_signs import PATTERNS, sign_counts, sign_patterns

DEFAULTS: dict[str, Any] = {
    "base": "b", "task": "pos", "metric": "accuracy", "dataset": "ud", "adapter_seed": 0, "standard_error": math.nan,
    "n_items": 100,
}  # fmt: skip


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    """A frame of composition scores; composition and fusion follow from the members."""
    filled = []
    for row in rows:
        codes = row["members"].split("+") if row["members"] else []
        second = any(code.endswith("'") for code in codes)
        composition = "A+A'" if second else ["T", "A", "A+B", "A+B+C"][len(codes)]
        fusion = "trained" if len(codes) > 1 else ""
        filled.append({**DEFAULTS, "composition": composition, "fusion": fusion, **row})
    return pd.DataFrame(filled)


def score(members: str, target: str, value: float, **more: Any) -> dict[str, Any]:
    return {"members": members, "target": target, "score": value, **more}


def study(languages: list[str], seed: int = 0, sizes: tuple[int, ...] = (2, 3), ties: bool = True) -> pd.DataFrame:
    """Every composition of the languages; scores are whole numbers, so that some are equal."""
    rng = np.random.default_rng(seed)
    rows = [score(code, code, 50.0) for code in languages]
    rows += [score(f"{code}+{code}'", code, 51.0) for code in languages]
    for size in sizes:
        for members in itertools.combinations(languages, size):
            values = rng.integers(-2, 3, size) if ties else rng.choice([-1.0, 1.0], size)
            name = "+".join(members)
            rows += [score(name, code, 50.0 + change) for code, change in zip(members, values, strict=True)]
    return frame(*rows)


def by_member(table: pd.DataFrame, column: str = "sign") -> dict[tuple[str, str], float]:
    return {(row.members, row.language): getattr(row, column) for row in table.itertuples()}


def counted(table: pd.DataFrame, language: str, size: int = 2) -> dict[str, int]:
    own = table[(table["language"] == language) & (table["size"] == size)]
    return {row.pattern: row.count for row in own.drop(columns=["size"]).itertuples(index=False) if row[-1]}


SINGLES = [score("fin", "fin", 60.0), score("hun", "hun", 70.0), score("wol", "wol", 40.0)]


def test_differences_are_taken_on_each_members_own_test_data():
    table = interference(frame(*SINGLES, score("fin+hun", "fin", 61.5), score("fin+hun", "hun", 69.0)))
    assert table["language"].tolist() == ["fin", "hun"]
    assert table["difference"].tolist() == [1.5, -1.0] and table["sign"].tolist() == [1.0, -1.0]
    assert table["score"].tolist() == [61.5, 69.0] and table["reference"].tolist() == [60.0, 70.0]
    assert table["position"].tolist() == [0, 1] and set(table["size"]) == {2} and set(table["why"]) == {""}


def test_a_lower_nll_is_a_gain():
    rows = frame(score("fin", "fin", 2.0), score("fin+wol", "fin", 1.5), score("fin+wol", "wol", 1.0))
    table = interference(rows.assign(metric="nll"))
    assert table["difference"].tolist()[0] == 0.5 and table["sign"].tolist()[0] == 1.0


def test_second_adapter_is_another_reference_under_the_same_fusion():
    seconds = [score("fin+fin'", "fin", 61.0), score("hun+hun'", "hun", 70.0), score("wol+wol'", "wol", 41.0)]
    others = [score("fin+fin'", "fin", 10.0, fusion="uniform")]
    pair = [score("fin+hun", "fin", 60.5), score("fin+hun", "hun", 70.5)]
    triple = [score("fin+hun+wol", code, value) for code, value in (("fin", 62.0), ("hun", 69.0), ("wol", 41.0))]
    rows = frame(*SINGLES, *seconds, *others, *pair, *triple)
    same, capacity = (by_member(interference(rows, control), "difference") for control in ("same", "second_adapter"))
    assert [same["fin+hun", code] for code in ("fin", "hun")] == [0.5, 0.5]
    assert [capacity["fin+hun", code] for code in ("fin", "hun")] == [-0.5, 0.5]
    assert [capacity["fin+hun+wol", code] for code in ("fin", "hun", "wol")] == [1.0, -1.0, 0.0]
    assert by_member(interference(rows, "second_adapter"))["fin+hun+wol", "wol"] == 0.0


def test_compositions_are_kept_apart_by_base_task_metric_and_fusion():
    one = frame(*SINGLES, score("fin+hun", "fin", 61.0), score("fin+hun", "hun", 69.0))
    other = one.assign(score=one["score"].where(one["composition"] == "A", 75.0))
    rows = pd.concat([one, other.assign(task="ner", metric="f1"), other.assign(base="c")])
    fused = other[other["composition"] == "A+B"].assign(fusion="uniform")
    table = interference(pd.concat([rows, fused]))
    assert len(table) == 8 and table["sign"].notna().all()
    signs = table.groupby(["base", "task", "fusion"])["sign"].apply(list).to_dict()
    assert signs == {
        ("b", "pos", "trained"): [1.0, -1.0], ("b", "ner", "trained"): [1.0, 1.0],
        ("b", "pos", "uniform"): [1.0, 1.0], ("c", "pos", "trained"): [1.0, 1.0],
    }  # fmt: skip


def test_test_sets_and_seeds_are_averaged_and_errors_with_them():
    rows = []
    for dataset, error in (("x", 0.3), ("y", 0.4)):
        for seed in (0, 1):
            more = {"dataset": dataset, "adapter_seed": seed, "standard_error": error}
            gain = {("x", 0): 1.0, ("x", 1): 3.0, ("y", 0): -1.0, ("y", 1): -2.0}[dataset, seed]
            rows += [score("fin", "fin", 50.0, **more), score("fin+wol", "fin", 50.0 + gain, **more)]
    table = interference(frame(*rows)).set_index("language")
    assert table.loc["fin", "difference"] == pytest.approx((2.0 - 1.5) / 2)
    # Seeds share the items: √2·0.3 and √2·0.4 on the two sets, whose mean has half of their root sum of squares.
    assert table.loc["fin", "standard_error"] == pytest.approx(math.sqrt(2) * 0.5 / 2)
    assert table.loc["fin", "n_datasets"] == 2


def test_what_is_missing_is_missing_and_says_why():
    rows = frame(
        *SINGLES[:2], score("fin+hun", "fin", 61.0), score("fin+hun", "hun", math.nan), score("fin+wol", "wol", 41.0)
    )
    table = interference(rows).set_index(["members", "language"])
    assert table["why"].to_dict() == {
        ("fin+hun", "fin"): "", ("fin+hun", "hun"): "undefined score",
        ("fin+wol", "fin"): "not scored on this language", ("fin+wol", "wol"): "nothing to compare with",
    }  # fmt: skip
    assert table["sign"].isna().tolist() == [False, True, True, True]
    counts = sign_counts(sign_patterns(table.reset_index()))
    assert counted(counts, "fin") == {"missing": 2} and counted(counts, "hun") == {"missing": 1}


def test_one_seed_without_its_reference_makes_the_member_missing():
    rows = [score("fin", "fin", 50.0), *(score("fin+wol", "fin", 51.0, adapter_seed=seed) for seed in (0, 1))]
    table = interference(frame(*rows)).set_index("language")
    assert math.isnan(table.loc["fin", "sign"]) and table.loc["fin", "why"] == "nothing to compare with"


@pytest.mark.parametrize(
    ("dead_zone", "signs"), [(0.0, [1, -1, 0]), (0.99, [1, -1, 0]), (1.01, [0, -1, 0]), (3.0, [0, 0, 0])]
)
def test_the_dead_zone_is_counted_in_standard_errors_of_the_difference(dead_zone, signs):
    # Errors of 0.3 and 0.4 make 0.5 of the difference.
    singles = [score(code, code, 50.0, standard_error=0.3) for code in ("fin", "hun", "wol")]
    changes = {"fin": 0.5, "hun": -1.0, "wol": 0.0}
    triple = [score("fin+hun+wol", code, 50.0 + change, standard_error=0.4) for code, change in changes.items()]
    table = interference(frame(*singles, *triple), dead_zone=dead_zone)
    assert table["standard_error"].tolist() == pytest.approx([0.5] * 3)
    assert table["sign"].tolist() == signs


def test_a_dead_zone_without_standard_errors_decides_nothing():
    table = interference(study(["fin", "hun", "wol"], sizes=(2,)), dead_zone=1.0)
    assert table["sign"].isna().all() and set(table["why"]) == {"no standard error"}


def test_rounding_is_a_tie():
    rows = frame(score("fin", "fin", 0.3), score("fin+wol", "fin", 0.1 + 0.2), score("fin+wol", "wol", 1.0))
    assert interference(rows)["sign"].tolist()[0] == 0.0


def test_the_papers_worked_example_by_scores():
    # Seven partners: A and B lose once, only B gains once, only A gains three times, both gain twice.
    changes = [(-1, -1), (-1, 1), (1, -1), (1, -1), (1, -1), (1, 1), (1, 1)]
    rows = [score("ara", "ara", 50.0)]
    for number, (own, other) in enumerate(changes):
        code = f"p{number}"
        rows += [
            score(code, code, 30.0),
            score(f"ara+{code}", "ara", 50.0 + own),
            score(f"ara+{code}", code, 30 + other),
        ]
    rows += [score("p7", "p7", 30.0), score("ara+p7", "ara", 50.0), score("ara+p7", "p7", 33.0)]  # a tie
    counts = sign_counts(sign_patterns(interference(frame(*rows))))
    assert counted(counts, "ara") == {"-A-B": 1, "-A+B": 1, "+A-B": 3, "+A+B": 2, "tie": 1}
    own = counts[counts["language"] == "ara"]
    assert own["pattern"].tolist() == ["-A-B", "-A+B", "+A-B", "+A+B", "tie", "missing", "unordered"]
    assert counted(counts, "p1") == {"+A-B": 1}


def brute_force(rows: pd.DataFrame, language: str, size: int, order: list[str], twice: bool = False) -> Counter[str]:
    """Count the patterns of one language by looking every score up; ``order`` says who is B."""
    known = {(row.members, row.target): row.score for row in rows.itertuples()}
    found: Counter[str] = Counter()
    for members in {row.members for row in rows.itertuples() if row.composition in ("A+B", "A+B+C")}:
        codes = members.split("+")
        if language not in codes or len(codes) != size:
            continue
        partners = sorted((code for code in codes if code != language), key=order.index)
        for arranged in [partners, partners[::-1]] if twice else [partners]:
            gains = [known[members, code] - known[code, code] for code in (language, *arranged)]
            text = "".join(f"{'+' if gain > 0 else '-'}{letter}" for gain, letter in zip(gains, "ABC", strict=False))
            found["tie" if 0.0 in gains else text] += 1
    return found


LANGUAGES = ["wol", "fin", "hun", "eng", "zho", "ara"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [2, 3])
def test_counts_are_those_of_brute_force(size, seed):
    rows = study(LANGUAGES, seed)
    differences = interference(rows.sample(frac=1.0, random_state=seed))
    listed, both = (sign_counts(sign_patterns(differences, order)) for order in ("listed", "both"))
    for language in LANGUAGES:
        wanted = brute_force(rows, language, size, LANGUAGES)
        assert counted(listed, language, size) == dict(wanted)
        assert sum(wanted.values()) == {2: 5, 3: 10}[size]
        assert counted(both, language, size) == dict(brute_force(rows, language, size, LANGUAGES, twice=size == 3))


def near(pairs: dict[tuple[str, str], float]) -> pd.DataFrame:
    rows = [(a, b, "syntax_knn", value) for (a, b), value in pairs.items()]
    return pd.DataFrame(rows, columns=["language_a", "language_b", "features", "similarity"])


def test_near_far_puts_the_nearer_partner_first():
    rows = study(LANGUAGES, ties=False)
    rng = np.random.default_rng(5)
    pairs = {pair: float(rng.random()) for pair in itertools.combinations(LANGUAGES[::-1], 2)}
    lookup = {frozenset(pair): value for pair, value in pairs.items()}
    counts = sign_counts(sign_patterns(interference(rows), "near_far", near(pairs)))
    for language in LANGUAGES:
        others = [code for code in LANGUAGES if code != language]
        order = sorted(others, key=lambda code, a=language: -lookup[frozenset((a, code))])
        assert counted(counts, language, 3) == dict(brute_force(rows, language, 3, order))


def test_near_far_leaves_apart_what_it_cannot_order():
    rows = study(["fin", "hun", "wol"], ties=False)
    even = near({("fin", "hun"): 0.5, ("fin", "wol"): 0.5, ("hun", "wol"): math.nan})
    patterns = sign_patterns(interference(rows), "near_far", even)
    triples = patterns[patterns["size"] == 3]
    assert set(triples["pattern"]) == {"unordered"}
    assert triples["sign_a"].notna().all() and triples[["sign_b", "sign_c"]].isna().all(axis=None)
    assert "unordered" not in set(patterns.loc[patterns["size"] == 2, "pattern"])


def test_swapping_the_order_of_the_study_swaps_b_and_c():
    rows = study(LANGUAGES)
    turned = rows.assign(members=["+".join(m.split("+")[::-1]) if "'" not in m else m for m in rows["members"]])
    one, other = (sign_counts(sign_patterns(interference(part))) for part in (rows, turned))

    def swapped(pattern: str) -> str:
        return pattern if len(pattern) != 6 else f"{pattern[:2]}{pattern[4]}B{pattern[2]}C"

    for language in LANGUAGES:
        before, after = counted(one, language, 3), counted(other, language, 3)
        assert {swapped(pattern): count for pattern, count in before.items()} == after != before
        assert counted(one, language, 2) == counted(other, language, 2)


def test_exchanging_gain_and_loss_turns_every_sign():
    rows = study(LANGUAGES)
    mirrored = rows.assign(score=100.0 - rows["score"])
    one, other = (sign_counts(sign_patterns(interference(part))) for part in (rows, mirrored))
    flip = str.maketrans("+-", "-+")
    for language in LANGUAGES:
        turned = {key.translate(flip) if "A" in key else key: value for key, value in counted(one, language, 3).items()}
        assert turned == counted(other, language, 3)


def test_patterns_are_the_papers():
    assert PATTERNS[2] == ("-A-B", "-A+B", "+A-B", "+A+B")
    assert len(set(PATTERNS[3])) == 8 and PATTERNS[3][0] == "-A-B-C" and PATTERNS[3][-1] == "+A+B+C"


@pytest.mark.parametrize(
    ("extra", "options", "message"),
    [
        (score("fin+fin", "fin", 1.0), {}, "expected 2 different languages, since no language interacts with itself"),
        (score("fin+wol+fin", "fin", 1.0), {}, "expected 3 different languages"),
        (score("fin", "fin", 1.0, composition="A+B"), {}, "composition A[+]B of 'fin'; expected 2 codes"),
        (score("fin+wol", "fin", 1.0, composition="A+B+C"), {}, "C of 'fin[+]wol'; expected 3 codes"),
        (score("fin+", "fin", 1.0), {}, "expected 2 codes"),
        (score("fin+wol'", "fin", 1.0), {}, "expected a language and its second adapter"),
        (score("fin+wol'", "fin", 1.0, composition="A+B"), {}, "wol' is a second adapter"),
        (score("fin+wol", "fin", 1.0, composition="A+C"), {}, "composition='A[+]C' is not among the known values"),
        (score("fin+hun", "wol", 1.0), {}, r"fin[+]hun scored on 'wol', which is no member of it \(1 such rows\)"),
        (score("hun+fin", "fin", 1.0), {}, "two rows for .*fin[+]hun"),
        (score("fin+hun", "fin", 1.0), {}, "two rows for .*fin[+]hun"),
        (score("wol", "wol", 1.0), {"dead_zone": -1.0}, "dead_zone=-1.0; expected a number of item standard errors"),
        (score("wol", "wol", 1.0), {"dead_zone": math.nan}, "dead_zone=nan"),
        (score("wol", "wol", 1.0), {"control": "second"}, "control='second' is not among .*second_adapter"),
        (score("wol", "wol", 1.0), {"control": "second_adapter"}, "no row of the composition A[+]A'.*'same'"),
        (score("wol", "wol", 1.0), {"non_members": "drop"}, "non_members='drop' is not among"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(extra, options, message):
    rows = frame(*SINGLES[:2], score("fin+hun", "fin", 61.5), score("fin+hun", "hun", 69.0), extra)
    with pytest.raises(ValueError, match=message):
        interference(rows, **options)


def test_a_study_of_one_language_has_no_pairs():
    with pytest.raises(ValueError, match=r"no composition of two or three languages \(languages: fin\)"):
        interference(frame(SINGLES[0]))


def test_no_single_adapter_is_refused():
    with pytest.raises(ValueError, match="no row of the composition A, which control='same' needs; score the single"):
        interference(frame(score("fin+hun", "fin", 61.5)))


def test_scores_on_no_member_can_be_ignored():
    rows = frame(*SINGLES, score("fin+hun", "fin", 61.5), score("fin+hun", "hun", 69.0))
    more = frame(score("fin+hun", "wol", 99.0), score("fin", "wol", 9.0))
    ignored = interference(pd.concat([rows, more]), non_members="ignore")
    assert ignored.equals(interference(rows))


def test_the_task_adapter_alone_is_scored_everywhere_and_not_compared():
    rows = frame(*SINGLES, score("", "fin", 1.0), score("fin+hun", "fin", 61.5), score("fin+hun", "hun", 69.0))
    assert interference(rows)["reference"].tolist() == [60.0, 70.0]


@pytest.mark.parametrize(
    ("similarity", "message"),
    [
        (None, "order='near_far' needs similarity="),
        (near({("fin", "hun"): 0.1}), "similarity lacks 2 pairs of languages: fin–wol, hun–wol"),
        (near({("fin", "hun"): 0.1, ("hun", "fin"): 0.2}), "two values for fin and hun"),
        (near({("fin", "hun"): 0.1, ("fin", "wol"): 0.2}).assign(features=["a", "b"]), r"feature sets \(a, b\)"),
    ],
)  # fmt: skip
def test_near_far_needs_one_similarity_of_every_pair(similarity, message):
    differences = interference(study(["fin", "hun", "wol"]))
    with pytest.raises(ValueError, match=message):
        sign_patterns(differences, "near_far", similarity)


def test_unknown_order_and_missing_columns():
    differences = interference(study(["fin", "hun", "wol"]))
    with pytest.raises(ValueError, match="order='near' is not among the known values: listed, near_far, both"):
        sign_patterns(differences, "near")
    with pytest.raises(ValueError, match="lacks the columns sign"):
        sign_patterns(differences.drop(columns="sign"))
    with pytest.raises(ValueError, match="scores lacks the columns members"):
        interference(study(["fin", "hun"], sizes=(2,)).drop(columns="members"))


def test_frames_are_left_alone_and_row_order_does_not_matter():
    rows = study(LANGUAGES)
    before = rows.copy()
    one = interference(rows)
    assert rows.equals(before)
    assert one.equals(interference(rows.sample(frac=1.0, random_state=1)))
    kept = one.copy()
    patterns = sign_patterns(one)
    assert one.equals(kept)
    assert patterns.equals(sign_patterns(one.sample(frac=1.0, random_state=1)))


def test_categories_are_read_as_text():
    rows = study(["fin", "hun", "wol"])
    texts = ["base", "task", "metric", "dataset", "target", "composition", "members", "fusion"]
    assert interference(rows.astype(dict.fromkeys(texts, "category"))).equals(interference(rows))


def test_test_sets_that_leave_the_aggregates_have_no_say():
    rows = frame(*SINGLES, score("fin+hun", "fin", 61.5), score("fin+hun", "hun", 69.0))
    more = rows.assign(dataset="small", score=rows["score"] + np.where(rows["composition"] == "A", 0.0, -50.0))
    flags = pd.DataFrame({"task": "pos", "dataset": ["small", "ud", "ud"], "target": ["fin", "hun", "wol"],
                          "small": [True, False, False], "at_floor": [False, True, False]})  # fmt: skip
    table = interference(pd.concat([rows, more[more["target"] == "fin"]]), out_of_aggregates=flags)
    assert table["difference"].tolist()[0] == 1.5 and table["n_datasets"].tolist() == [1, 0]
    assert table["why"].tolist() == ["", "left out of aggregates"]
    assert set(sign_patterns(table)["pattern"]) == {"missing"}


@pytest.mark.parametrize("name", ["fusion", "members", "dataset"])
def test_missing_texts_are_refused_and_not_dropped(name):
    rows = study(["fin", "hun", "wol"])
    rows.loc[rows.index[-1], name] = None
    with pytest.raises(ValueError, match=f"scores have rows without {name}; write an empty text"):
        interference(rows)
