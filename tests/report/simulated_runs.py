"""The simulated runs that the report is tested on, small enough for a second each."""

from typing import Any

from simulate_run import Spec

SMALL: dict[str, Any] = {
    "transfers": 3, "replicates": 3, "steps": (1, 10), "targets": {"pos": 4, "ner": 4}, "mean_items": 30,
}  # fmt: skip

SPECS = {
    "small": Spec(**SMALL, shuffled_text=1, random_sign=1, labels=3),
    "odd names": Spec(**SMALL, odd_names=True),
    "one replicate": Spec(**SMALL | {"replicates": 1}),
    "zero baseline": Spec(**SMALL | {"targets": {"ner": 10}}),
    "no common targets": Spec(**SMALL, common_targets=False),
    "only k=0": Spec(**SMALL | {"steps": ()}),
    "failed": Spec(**SMALL, failed=2),
    "two seeds": Spec(**SMALL | {"targets": {"pos": 4}}, adapter_seeds=2),
}
"""Name to what is simulated."""
