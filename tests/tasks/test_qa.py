"""Questions: windows as rows by hand, the best span against all spans, counts, and a model against transformers."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from xltransfer.config.task import TaskSpec
from xltransfer.data.question import Answer, Question
from xltransfer.engine import Backbone, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.fit import descend, fit
from xltransfer.errors import DataError, ModelError
from xltransfer.metrics import metric
from xltransfer.tasks import Qa
from xltransfer.tasks.encoded import IGNORED, make_batch
from xltransfer.tasks.qa import best_spans
from xltransfer.tasks.score import Prepared, answers, score
from xltransfer.tasks.windows import ELSEWHERE

Declare = Callable[..., TaskSpec]
CPU = torch.device("cpu")
CONTEXT = "ab cde f ghij"  # ten letters, each a subword


def ask(number: int, text: str, *gold: tuple[str, int | None], context: str = CONTEXT) -> Question:
    found = tuple(Answer(answer, start) for answer, start in gold)
    return Question(f"q{number}", "p0", "eng", text, context, found)


QUESTIONS = [
    ask(0, "k", ("cde", 3)),
    ask(1, "kl", ("ij", 11), ("ghij", 9)),
    ask(2, "k", ("zz", None)),
    ask(3, "k" * 12, ("f", 7)),
    ask(4, "k", ("de f g", 4)),
]


@pytest.fixture
def task(declare: Declare) -> Qa:
    """Rows of 11: a one-letter question leaves 7 for the context, windows share 3."""
    return Qa(declare("qa", max_length=11, stride=3, max_answer=4))


def test_windows_are_rows_by_hand(task: Qa, tokenizer: Any) -> None:
    encoded = task.encode("x", QUESTIONS, tokenizer)
    # 10 subwords in windows of 7 (0-7, 4-10) or, beside a question of two letters, of 6 (0-6, 3-9, 6-10).
    assert encoded.kept.tolist() == [0, 0, 1, 1, 1, 2, 2, 4, 4]
    assert (encoded.n_scored, len(encoded.items), set(encoded.clusters)) == (4, 5, {"p0"})
    batch = make_batch(encoded, np.array([0, 4]), CPU)
    letter = {each: 5 + place for place, each in enumerate("abcdefghijklmnopqrstuvwxyz")}
    inside = 26
    first = [2, letter["k"], 3, letter["a"], letter["b"] + inside, letter["c"], letter["d"] + inside]
    assert batch.input_ids[0].tolist() == [*first, letter["e"] + inside, letter["f"], letter["g"], 3]
    assert batch.token_types is not None and batch.token_types[0].tolist() == [0, 0, 0] + [1] * 8
    last = [2, letter["k"], letter["l"] + inside, 3, *(letter[each] + inside for each in "gh")]
    assert batch.input_ids[1].tolist()[:4] == last[:4]
    gold = {name: values.values.tolist() for name, values in encoded.gold.items()}
    # cde are subwords 2-4: positions 5-7 of the first window; the second begins with e.
    assert (gold["start"][:2], gold["end"][:2]) == ([5, ELSEWHERE], [7, ELSEWHERE])
    # ij are subwords 8-9; the second window (3-9) lacks the last.
    assert gold["start"][2:5] == [ELSEWHERE, ELSEWHERE, 4 + 2]
    assert gold["start"][5:7] == [IGNORED, IGNORED]
    # de|f|g are subwords 3-6: in the first window, not in the second.
    assert gold["start"][7:] == [6, ELSEWHERE]
    assert gold["chosen"] == [1, 0, 0, 0, 1, 0, 0, 1, 0]
    assert gold["begin"] == [3, 3, 4, 4, 4, 3, 3, 3, 3]
    assert gold["stop"] == [10, 9, 10, 10, 8, 10, 9, 10, 9]


def test_a_short_paragraph_is_asked_whatever_the_length_of_its_question(task: Qa, tokenizer: Any) -> None:
    """Six letters leave two subwords, fewer than windows share: enough for a paragraph of two."""
    encoded = task.encode(
        "x", [ask(0, "k" * 6, ("b", 1), context="ab"), ask(1, "k" * 6, ("b", 1), context="abc")], tokenizer
    )
    assert encoded.kept.tolist() == [0]
    assert (encoded.gold["start"].values.tolist(), encoded.gold["chosen"].values.tolist()) == ([9], [1])


def test_spans_become_text_of_the_context(task: Qa, tokenizer: Any) -> None:
    encoded = task.encode("x", QUESTIONS, tokenizer)
    for row, start in enumerate(encoded.gold["start"].values):
        if start >= 0:
            question = encoded.questions[encoded.kept[row]]
            found = encoded.text(row, int(start), int(encoded.gold["end"].values[row]))
            assert found == question.answers[0].text


def test_nothing_to_score_is_an_error(task: Qa, tokenizer: Any) -> None:
    with pytest.raises(DataError, match="x: none of 1 questions leaves more than stride=3 of max_length=11 subwords"):
        task.encode("x", QUESTIONS[3:4], tokenizer)


def test_best_spans_are_those_of_all_spans() -> None:
    generator = torch.Generator().manual_seed(1)
    start, end = (torch.randn((6, 9), generator=generator) for _ in range(2))
    begin, stop = torch.tensor([2, 0, 3, 8, 1, 4]), torch.tensor([9, 9, 7, 9, 2, 8])
    for longest in (1, 3, 20):
        score, first, last = best_spans(start, end, begin, stop, longest)
        for row in range(6):
            spans = [
                (float(start[row, i] + end[row, j]), i, j)
                for i, j in itertools.product(range(int(begin[row]), int(stop[row])), repeat=2)
                if i <= j < i + longest
            ]
            assert (score[row].item(), first[row].item(), last[row].item()) == pytest.approx(max(spans))


def test_of_equal_spans_the_first_wins() -> None:
    flat = torch.zeros(1, 6)
    _, first, last = best_spans(flat, flat, torch.tensor([2]), torch.tensor([5]), 3)
    assert (first.item(), last.item()) == (2, 2)


def given_answers(rows: list[tuple[int, int, float, float]]) -> dict[str, np.ndarray]:
    start, end, best, nll = (np.array(column) for column in zip(*rows, strict=True))
    return {"start": start, "end": end, "score": best, "nll": nll}


def test_counts_by_hand(task: Qa, tokenizer: Any) -> None:
    encoded = task.encode("x", QUESTIONS, tokenizer)
    rows = np.array([8, 0, 1, 2, 4, 3, 5, 6, 7])
    found = task.count(
        encoded,
        rows,
        given_answers(
            [
                (4, 5, 9.0, 0.0),  # q4, window 4-10: subwords 5-6, "f g", best
                (5, 7, 2.0, 1.5),  # q0, window 0-7: "cde", best
                (3, 3, 1.0, 0.0),  # q0, window 4-10
                (4, 4, 0.0, 0.0),  # q1
                (6, 7, 5.0, 2.5),  # q1, window 6-10: "ij", tied with the next, but a later row
                (4, 4, 5.0, 0.0),  # q1, window 3-9: subword 3, "d"
                (3, 4, 1.0, 0.0),  # q2: "ab"
                (3, 3, 0.0, 0.0),  # q2
                (6, 9, 8.0, 3.5),  # q4, window 0-7
            ]
        ),
    )
    values = {name: each.tolist() for name, each in found.overall.items()}
    assert values["total"] == [1, 1, 1, 0, 1]
    assert values["em"] == [1, 0, 0, 0, 0]
    # "f g" against "de f g": two of three words, precision 1.
    assert values["f1"] == pytest.approx([1, 0, 0, 0, 2 * 2 / 5])
    assert values["in_window"] == [1, 1, 0, 0, 1]
    assert values["nll"] == [1.5, 2.5, 0, 0, 3.5]
    sums = {name: each.sum() for name, each in found.overall.items()}
    assert metric("qa", "squad_f1").score(sums) == pytest.approx(100 * 1.8 / 4)
    assert metric("qa", "squad_em").score(sums) == 25.0
    assert metric("qa", "span_nll").score(sums) == pytest.approx(7.5 / 3)


def test_an_answer_that_no_window_holds_is_scored_and_counted(task: Qa, tokenizer: Any) -> None:
    encoded = task.encode("x", [ask(0, "k", ("b cde f gh", 1))], tokenizer)
    found = task.trivial(encoded).overall
    assert (found["total"].sum(), found["in_window"].sum()) == (1, 0)
    assert encoded.gold["start"].values.tolist() == [ELSEWHERE, ELSEWHERE]


def test_the_first_answer_that_a_window_holds_is_the_gold_one(task: Qa, tokenizer: Any) -> None:
    """Windows 0-7 and 4-10: no window holds subwords 1-8, the second one holds 8-9; without it there is no gold."""
    encoded = task.encode("x", [ask(0, "k", ("b cde f gh", 1), ("ij", 11)), ask(1, "k", ("b cde f gh", 1))], tokenizer)
    assert encoded.gold["start"].values.tolist() == [ELSEWHERE, 7, ELSEWHERE, ELSEWHERE]
    assert encoded.gold["end"].values.tolist() == [ELSEWHERE, 8, ELSEWHERE, ELSEWHERE]
    assert encoded.gold["chosen"].values.tolist() == [0, 1, 0, 0]
    assert encoded.text(1, 7, 8) == "ij"
    odd = task.trivial(encoded).overall
    assert (odd["unheld"].tolist(), odd["in_window"].tolist()) == ([0, 1], [1, 0])


def test_trivial_predictor_answers_nothing(task: Qa, tokenizer: Any) -> None:
    encoded = task.encode("x", QUESTIONS, tokenizer)
    found = {name: values.tolist() for name, values in task.trivial(encoded).overall.items()}
    assert found["em"] == found["f1"] == [0, 0, 0, 0, 0]
    assert found["total"] == [1, 1, 1, 0, 1]
    assert found["nll"] == pytest.approx([2 * np.log(11), 2 * np.log(9), 0, 0, 2 * np.log(11)])


def test_trivial_counts_say_what_is_odd_about_questions(task: Qa, tokenizer: Any) -> None:
    """Questions 2 (misplaced) and 3 (not scored) are not unheld; of the last two, one has a short answer as well."""
    more = [
        ask(5, "k", ("b cde f gh", 1)),
        ask(6, "k", ("cde f", 3), ("f", 7)),
        ask(7, "k", ("cde f", 3), ("zz", None)),
    ]
    found = {
        name: values.tolist()
        for name, values in task.trivial(task.encode("x", [*QUESTIONS, *more], tokenizer)).overall.items()
    }
    assert found["in_window"] == [1, 1, 0, 0, 1, 0, 1, 1]
    assert found["unheld"] == [0, 0, 0, 0, 0, 1, 0, 0]
    assert found["misplaced"] == [0, 0, 1, 0, 0, 0, 0, 1]
    assert found["longer"] == [0, 0, 0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_scores_that_are_not_finite_are_no_answers(bad: float, task: Qa, tokenizer: Any) -> None:
    encoded = task.encode("x", QUESTIONS[:1], tokenizer)
    rows, given = np.array([0, 1]), given_answers([(5, 7, bad, 0.0), (3, 3, 1.0, 0.0)])
    for use in (task.count, task.annotated):
        with pytest.raises(ModelError, match="x: the best spans of 1 of 2 windows have scores that are not finite"):
            use(encoded, rows, given)


def test_a_model_without_finite_states_is_refused(asked: Backbone, task: Qa, tokenizer: Any) -> None:
    with torch.no_grad():
        next(iter(asked.heads["qa"].parameters())).fill_(float("nan"))
    with pytest.raises(ModelError, match="the best spans of 2 of 2 windows have scores that are not finite"):
        score(task, asked, Stack(), "qa", Prepared.of(task.encode("x", QUESTIONS[:1], tokenizer), 40, CPU))


def test_answers_are_written_in_their_own_letters(task: Qa, tokenizer: Any) -> None:
    encoded = task.encode("x", [ask(0, "k", ("日", 3), context="ab 日")], tokenizer)
    (line,) = task.annotated(encoded, np.array([0]), given_answers([(5, 5, 1.0, 0.0)]))
    assert line == '{"id": "q0", "answer": "日"}'


@pytest.fixture
def asked(model: Backbone, task: Qa) -> Backbone:
    """The model with a random head."""
    torch.manual_seed(2)
    head = task.head(model)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    model.add_head("qa", head)
    return model.eval()


def reference(model: Backbone, tokenizer: Any, question: Question) -> list[tuple[torch.Tensor, torch.Tensor, Any]]:
    """Return start and end scores and offsets of each window, cut by transformers itself."""
    rows = tokenizer(
        question.question,
        question.context,
        truncation="only_second",
        max_length=11,
        stride=3,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
    )
    weights, found = model.heads["qa"].state_dict(), []
    for ids, types, offsets in zip(rows["input_ids"], rows["token_type_ids"], rows["offset_mapping"], strict=True):
        with torch.inference_mode():
            own = model.encoder(torch.tensor([ids]), token_type_ids=torch.tensor([types]))
        scores = own.last_hidden_state[0] @ weights["layers.1.weight"].T + weights["layers.1.bias"]
        context = [
            place for place, (kind, span) in enumerate(zip(types, offsets, strict=True)) if kind and span != (0, 0)
        ]
        found.append((scores[:, 0], scores[:, 1], [(place, offsets[place]) for place in context]))
    return found


def test_scores_and_answers_are_those_of_transformers_windows(asked: Backbone, task: Qa, tokenizer: Any) -> None:
    chosen = [QUESTIONS[0], QUESTIONS[1], QUESTIONS[4]]
    prepared = Prepared.of(task.encode("x", chosen, tokenizer), 40, CPU)
    assert any(batch.attention_mask is not None for batch in prepared.batches)
    given = answers(task, asked, Stack(), "qa", prepared.batches)
    counts = task.count(prepared.encoded, prepared.rows, given).overall
    lines = [json.loads(line) for line in task.annotated(prepared.encoded, prepared.rows, given)]
    for number, question in enumerate(chosen):
        best, text, nll = -np.inf, "", []
        gold = question.answers[0]
        assert gold.start is not None and gold.end is not None
        for start, end, context in reference(asked, tokenizer, question):
            for (i, (left, _)), (j, (_, right)) in itertools.product(context, repeat=2):
                if i <= j < i + 4 and start[i] + end[j] > best:
                    best, text = float(start[i] + end[j]), question.context[left:right]
            first = [place for place, (left, _) in context if left == gold.start]
            last = [place for place, (_, right) in context if right == gold.end]
            if first and last:
                nll.append(
                    sum(
                        float(functional.cross_entropy(scores, torch.tensor(place)))
                        for scores, place in ((start, first[0]), (end, last[0]))
                    )
                )
        assert lines[number] == {"id": question.id, "answer": text}
        assert counts["nll"][number] == pytest.approx(nll[0], rel=1e-4)
        assert counts["em"][number] == (text in [answer.text for answer in question.answers])


def test_loss_is_the_mean_of_start_and_end(asked: Backbone, declare: Declare, tokenizer: Any) -> None:
    options = dict(max_length=11, stride=3, max_answer=4)
    cls, skip = (Qa(declare("qa", windows_without_answer=rule, **options)) for rule in ("cls", "skip"))
    encoded = cls.encode("x", QUESTIONS, tokenizer)
    losses = {}
    for row in range(len(encoded.kept)):
        batch = make_batch(encoded, np.array([row]), CPU)
        losses[row] = [task.loss(asked, Stack(), "qa", batch) for task in (cls, skip)]
    nll = answers(cls, asked, Stack(), "qa", [make_batch(encoded, np.array([0]), CPU)])["nll"][0]
    assert losses[0][0][0].item() == pytest.approx(nll / 2, rel=1e-5) and losses[0][0][1] == 1
    assert losses[0][1][0].item() == losses[0][0][0].item()
    start, end, _ = reference(asked, tokenizer, QUESTIONS[0])[1]
    first = functional.cross_entropy(start, torch.tensor(0)) + functional.cross_entropy(end, torch.tensor(0))
    assert losses[1][0][0].item() == pytest.approx(first.item() / 2, rel=1e-4)
    assert (losses[1][1][0].item(), losses[1][1][1]) == (0.0, 0)
    # The answer of question 2 has no offset: its windows train nothing under either rule.
    assert [(value.item(), count) for value, count in losses[5]] == [(0.0, 0), (0.0, 0)]
    together = cls.loss(asked, Stack(), "qa", make_batch(encoded, np.arange(9), CPU))
    assert together[0].item() == pytest.approx(sum(each[0][0].item() for each in losses.values()), rel=1e-4)
    assert together[1] == 7


def test_batches_do_not_change_answers(asked: Backbone, task: Qa, tokenizer: Any) -> None:
    encoded = task.encode("x", QUESTIONS, tokenizer)
    one, other = (score(task, asked, Stack(), "qa", Prepared.of(encoded, budget, CPU)) for budget in (11, 200))
    assert one.overall["nll"] == pytest.approx(other.overall["nll"], rel=1e-4)
    for column in ("em", "f1", "total", "in_window"):
        assert one.overall[column].tolist() == other.overall[column].tolist()


def test_a_toy_task_is_learnt(task: Qa, model: Backbone, tokenizer: Any) -> None:
    """The answer is the letter x."""
    rng = np.random.default_rng(0)
    toy = []
    for number in range(40):
        letters = list(rng.choice(list("abcdef"), 6))
        letters[int(rng.integers(6))] = "x"
        toy.append(ask(number, "k", ("x", 2 * letters.index("x")), context=" ".join(letters)))
    encoded = task.encode("toy", toy, tokenizer)
    torch.manual_seed(0)
    adapter = model.add_adapter("t", AdapterConfig(reduction=2))
    model.add_head("t", task.head(model))
    model.eval()
    order = np.random.default_rng(1)
    fit(
        descend(
            [*adapter.parameters(), *model.heads["t"].parameters()],
            (make_batch(encoded, order.choice(40, 10, replace=False), CPU) for _ in range(100)),
            lambda batch: task.loss(model, Stack("t"), "t", batch),
            steps=100,
            learning_rate=2e-2,
        )
    )
    trained = score(task, model, Stack("t"), "t", Prepared.of(encoded, 256, CPU))
    assert trained.overall["em"].sum() > 30


def test_real_questions_fit_a_real_model(shared: Path, declare: Declare) -> None:
    from xltransfer.data.squad import read_squad
    from xltransfer.data.tokenizer import load_tokenizer

    folder = str(shared / "models" / "mini-mbert")
    task, model, tokenizer = Qa(declare("qa")), Backbone.load(folder), load_tokenizer(folder)
    model.add_head("qa", task.head(model))
    questions = read_squad(shared / "data/qa/xquad/xquad.zh.json", "zho")[:12]
    encoded = task.encode("zho", questions, tokenizer)
    for row, start in enumerate(encoded.gold["start"].values):
        if start >= 0:
            found = encoded.text(row, int(start), int(encoded.gold["end"].values[row]))
            assert questions[encoded.kept[row]].answers[0].text in found
    found = score(task, model.eval(), Stack(), "qa", Prepared.of(encoded, 2048, CPU))
    assert found.overall["total"].sum() == found.overall["in_window"].sum() == 12
    assert np.isfinite(found.overall["nll"]).all()
