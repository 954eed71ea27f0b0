"""Where a run's numbers come from: what it was made with, what is not there yet, what failed, and whom to cite."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import pandas as pd

from xltransfer.runs.folder import Header
from xltransfer.runs.open import Run

STUDY: Final = (
    "Fahim Faisal and Antonios Anastasopoulos. 2024. An Efficient Approach for Studying Cross-Lingual Transfer in "
    "Multilingual Language Models. arXiv:2403.20088. (The protocol and its scores.)"
)
ADAPTERS: Final = (
    "Jonas Pfeiffer, Ivan Vulić, Iryna Gurevych and Sebastian Ruder. 2020. MAD-X: An Adapter-based Framework for "
    "Multi-task Cross-lingual Transfer. EMNLP. (The adapters.)"
)
RANK_SETS: Final = (
    "Magne Mogstad, Joseph P. Romano, Azeem M. Shaikh and Daniel Wilhelm. 2024. Inference for Ranks with Applications "
    "to Mobility across Neighbourhoods and Academic Achievement across Countries. Review of Economic Studies. "
    "(Rank sets.)"
)

CITATIONS: Final = (STUDY, ADAPTERS, RANK_SETS)
"""For the report of a transfer run; datasets and base models have citations of their own in their manifests."""

PROGRESS: Final = ["setting", "steps", "wanted", "there", "missing", "examples"]


def run_facts(header: Header, version: str) -> list[tuple[str, str]]:
    """Return what the run was made with, as pairs of a term and its value."""
    study, settings, environment = header.study, header.settings, header.environment
    names = {"torch": "torch", "transformers": "transformers", "tokenizers": "tokenizers"}
    facts = [
        ("study", str(study.get("name", "?"))),
        ("base model", str(settings.get("base", "?"))),
        ("protocol", str(settings.get("protocol", "?"))),
        ("seed of the study", str(settings.get("seed", "?"))),
        ("device", str(environment.get("device", "?"))),
        ("threads per worker", str(environment.get("threads", "?"))),
    ]
    facts += [(said, str(environment[name])) for name, said in names.items() if name in environment]
    return [*facts, ("xltransfer, of this report", version)]


def option_facts(study: Mapping[str, Any]) -> str:
    """Return the whole study as indented JSON."""
    return json.dumps(study, indent=2, sort_keys=True, ensure_ascii=False)


def file_lines(header: Header) -> str:
    """Return a line per file that the run read: SHA-256 and name."""
    return "\n".join(f"{digest}  {name}" for name, digest in sorted(header.files.items()))


def stored_options(measurements: pd.DataFrame) -> pd.DataFrame:
    """Return the named choices that are stored with the rows, each with its number of rows: option, value, n_rows."""
    counts = measurements["options"].value_counts()
    rows = [(option, json.dumps(value), int(n)) for text, n in counts.items() for option, value in _loaded(str(text))]
    frame = pd.DataFrame(rows, columns=["option", "value", "n_rows"])
    return frame.groupby(["option", "value"])["n_rows"].sum().reset_index()


def _loaded(text: str) -> Iterator[tuple[str, Any]]:
    """Yield the options of one row."""
    yield from sorted(json.loads(text or "{}").items())


def failed_units(run: Run) -> pd.DataFrame:
    """Return the units that failed and are not there: unit, what, error, message."""
    failures = run.failures()
    what = [describe(json.loads(key)) for key in failures["key"]]
    return failures.assign(what=pd.Series(what, dtype="str"))[["unit", "what", "error", "message"]]


def describe(key: Mapping[str, Any]) -> str:
    """Return the key of a unit in a few words."""
    if key.get("kind") == "task_adapter":
        return f"task adapter {key.get('task', '?')}, seed {key.get('adapter_seed', '?')}"
    parts = [str(key.get("setting", key.get("kind", "unit")))]
    parts += [f"of {_few(key['members'])}"] if "members" in key else []
    parts += [f"on {key['target']} ({_few(key['compositions'])})"] if "compositions" in key else []
    parts += [f"{name} {key[name]}" for name in ("corpus", "replicate") if key.get(name) not in (None, "")]
    if set(key.get("scores", {})) - {"0"}:
        parts.append("k=" + ",".join(sorted(key["scores"], key=int)))
    return ", ".join(parts)


def _few(names: Iterable[str]) -> str:
    """Return the first names, and how many more there are."""
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def progress(header: Header, measurements: pd.DataFrame) -> pd.DataFrame:
    """Return how many nudged models the study asks for, and how many of them have scores.

    Parameters
    ----------
    header
        Its study says the settings, k, replicates and languages; its parts name the corpora.
    measurements
        All rows that are there.

    Returns
    -------
    DataFrame
        A row per setting and steps: wanted, there, missing (numbers of nudged models: a corpus and a replicate), and
        examples of missing ones. A corpus of which nothing is there counts where the study asks for all languages; for
        a choice of languages it cannot be told, and does not count.
    """
    models = measurements[["setting", "steps", "corpus", "replicate", "transfer"]].drop_duplicates()
    models = models[models["corpus"] != ""]
    language = dict(zip(models["corpus"], models["transfer"], strict=True))
    corpora = sorted({*header.parts.get("blocks of corpus", {}), *language})
    found = set(models[["setting", "steps", "corpus", "replicate"]].itertuples(index=False, name=None))
    table = []
    for setting, steps, languages, replicates in _asked(header.study):
        chosen = [c for c in corpora if languages is None or language.get(c) in languages]
        wanted = [(corpus, replicate) for corpus in chosen for replicate in range(replicates)]
        missing = [pair for pair in wanted if (setting, steps, *pair) not in found]
        examples = ", ".join(f"{corpus} (replicate {replicate})" for corpus, replicate in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        table.append((setting, steps, len(wanted), len(wanted) - len(missing), len(missing), examples + more))
    return pd.DataFrame(table, columns=PROGRESS)


def _asked(study: Mapping[str, Any]) -> Iterator[tuple[str, int, list[str] | None, int]]:
    """Yield setting, steps, transfer languages (None: all) and number of replicates that the study asks for."""
    replicates, controls = int(study.get("transfer", {}).get("replicates", 0)), study.get("controls", {})
    for cell in study.get("cells", ()):
        yield "nudge", int(cell["steps"]), cell.get("languages"), replicates
    for name in ("shuffled_text", "random_sign"):
        control = controls.get(name) or {}
        for steps in control.get("steps", ()):
            yield name, int(steps), control.get("languages"), replicates
