"""Predictions, scored again here by independent means, give the very scores that the run measured."""

from pathlib import Path
from typing import Any

import conllu
import pytest
from seqeval.metrics import f1_score

from xltransfer.errors import ConfigError, RunFolderError
from xltransfer.protocols.transfer.predictions import open_context, predictions
from xltransfer.runs.open import open_run

NUDGED = ("--corpus", "text-qaa", "--steps", "2", "--replicate", "1")
ENTRIES = {"pos": "World_Morari", "dep": "World_Morari", "ner": "ner-qaa"}


def measured(mini: Any, task: str, metric: str, nudged: bool) -> float:
    """Return the score in the results folder."""
    rows = open_run(mini.folder).measurements()
    rows = rows[(rows["task"] == task) & (rows["dataset"] == ENTRIES[task]) & (rows["metric"] == metric)]
    if nudged:
        rows = rows[(rows["setting"] == "nudge") & (rows["corpus"] == "text-qaa")]
        rows = rows[(rows["steps"] == 2) & (rows["replicate"] == 1)]
    else:
        rows = rows[rows["setting"] == "baseline"]
    return float(rows["score"].item())


def trees(text: str) -> dict[str, list[Any]]:
    """Return the words of each sentence by its id."""
    return {tree.metadata["sent_id"]: list(tree) for tree in conllu.parse(text)}


def gold_file(mini: Any, task: str) -> str:
    """Return the text of the target's test file."""
    ref = next(ref for ref in mini.resolved.targets[task] if ref.name == ENTRIES[task])
    return (ref.root / ref.files["test"]).read_text(encoding="utf-8")


@pytest.mark.parametrize("nudged", [False, True], ids=["untouched", "nudged"])
@pytest.mark.parametrize("task", ["pos", "dep"])
def test_conllu_gives_the_measured_scores(
    mini_study: Any, xltransfer: Any, tmp_path: Path, task: str, nudged: bool
) -> None:
    out = tmp_path / "made" / "out.conllu"
    words = ("--run", mini_study.folder, "--task", task, "--target", ENTRIES[task], "--out", out)
    result = xltransfer("predict", mini_study.path, *words, *(NUDGED if nudged else ()))
    assert result.exit_code == 0, result.exception
    found, gold = trees(out.read_text(encoding="utf-8")), trees(gold_file(mini_study, task))
    # The order of the file, without the two sentences over the length limit.
    assert list(found) == [name for name in gold if name in found]
    assert len(gold) - len(found) == 2
    assert f"{len(found)} sentences in {out}, 2 over the length limit left out" in result.output
    pairs = [(g, f) for name in found for g, f in zip(gold[name], found[name], strict=True)]
    assert all(g["form"] == f["form"] for g, f in pairs)
    if task == "pos":
        right = {"accuracy": [g["upos"] == f["upos"] for g, f in pairs]}
    else:
        heads = [g["head"] == f["head"] for g, f in pairs]
        relations = [g["deprel"].split(":")[0] == f["deprel"] for g, f in pairs]
        right = {"uas": heads, "las": [a and b for a, b in zip(heads, relations, strict=True)]}
    for metric, hits in right.items():
        assert measured(mini_study, task, metric, nudged) == pytest.approx(100 * sum(hits) / len(hits))


@pytest.mark.parametrize("nudged", [False, True], ids=["untouched", "nudged"])
def test_bio_gives_the_measured_f1(mini_study: Any, xltransfer: Any, tmp_path: Path, nudged: bool) -> None:
    out = tmp_path / "out.txt"
    words = ("--run", mini_study.folder, "--task", "ner", "--target", "ner-qaa", "--out", out)
    assert xltransfer("predict", mini_study.path, *words, *(NUDGED if nudged else ())).exit_code == 0

    def sentences(text: str) -> list[list[list[str]]]:
        blocks = [block.splitlines() for block in text.strip().split("\n\n")]
        return [[line.split(" ") for line in block if not line.startswith("# ")] for block in blocks]

    found, gold = sentences(out.read_text(encoding="utf-8")), sentences(gold_file(mini_study, "ner"))
    assert [[word for word, _ in s] for s in found] == [[word for word, _ in s] for s in gold]
    expected = 100 * f1_score([[tag for _, tag in s] for s in gold], [[tag for _, tag in s] for s in found])
    assert measured(mini_study, "ner", "f1", nudged) == pytest.approx(expected)


def test_zero_steps_are_the_untouched_model_and_leave_it_so(mini_study: Any) -> None:
    context = open_context(mini_study.resolved, mini_study.folder)
    before = predictions(context, "pos", "World_Talari", 0)
    assert predictions(context, "pos", "World_Talari", 0, "text-qba", 0, 0) == before
    assert predictions(context, "pos", "World_Talari", 0, "text-qba", 2, 0) != before
    assert predictions(context, "pos", "World_Talari", 0) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pso", "World_Talari", 0), "the study has no task 'pso'; did you mean 'pos'?"),
        (("mlm", "text-qaa", 0), "task 'mlm' has shape mlm, which predicts no labels; choose one of shape pos, dep"),
        (("pos", "World_Talri", 0), "task 'pos' has no target 'World_Talri'; did you mean 'World_Talari'?"),
        (("pos", "World_Talari", 1), "adapter seed 1 of task 'pos': the study trains 1 (numbers 0 to 0)"),
        (("pos", "World_Talari", 0, "txt-qaa", 1, 0), "no transfer corpus 'txt-qaa'; did you mean 'text-qaa'?"),
        (("pos", "World_Talari", 0, "text-qaa", 1, 2), "replicate 2: the study has 2 (numbers 0 to 1)"),
        (("pos", "World_Talari", 0, "text-qaa", -1, 0), "steps -1 is negative"),
        (("pos", "World_Talari", 0, "text-qaa", None, 0), "a nudge needs corpus, steps and replicate together"),
        (("pos", "World_Talari", 0, None, 2, None), "a nudge needs corpus, steps and replicate together"),
    ],
)
def test_errors_name_the_nearest_name(mini_study: Any, words: tuple[Any, ...], message: str) -> None:
    context = open_context(mini_study.resolved, mini_study.folder)
    with pytest.raises(ConfigError) as caught:
        predictions(context, *words)
    assert message in str(caught.value)


def test_a_folder_without_the_adapter_says_so(mini_study: Any, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is not a results folder"):
        open_context(mini_study.resolved, tmp_path)
    (tmp_path / "run.json").write_bytes((mini_study.folder / "run.json").read_bytes())
    context = open_context(mini_study.resolved, tmp_path)
    with pytest.raises(RunFolderError, match="has no task adapter pos@0 of this study; run the study into it first"):
        predictions(context, "pos", "World_Talari", 0)


def test_a_folder_of_another_study_is_refused(mini_study: Any, tmp_path: Path) -> None:
    header = (mini_study.folder / "run.json").read_text(encoding="utf-8")
    assert header.count('"learning_rate": 0.001') == 2  # the study's and the settings' own
    (tmp_path / "run.json").write_text(header.replace('"learning_rate": 0.001', '"learning_rate": 0.002'))
    with pytest.raises(RunFolderError, match=r"settings.nudge.learning_rate: 0.002 in the folder, 0.001 in the study"):
        open_context(mini_study.resolved, tmp_path)
