"""How fast this machine scores and nudges a study's model at each precision, beside its matrix products alone."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from statistics import median

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xltransfer.engine.backbone import Backbone
from xltransfer.engine.fit import descend
from xltransfer.engine.masking import Masked, Vocabulary, mask_tokens
from xltransfer.engine.nudge import NudgeSeeds, NudgeSettings, masked_lm_loss, nudge
from xltransfer.engine.precision import Precision, precise, precisions_of
from xltransfer.protocols.benchmark import Chosen, OnStep
from xltransfer.protocols.transfer.context import Context
from xltransfer.protocols.transfer.scoring import score_targets
from xltransfer.protocols.transfer.wanted import BASELINE, split_scorer
from xltransfer.runs.unit import Unit

ROUNDS = 3
"""Turns that the precisions take, because a shared machine drifts by more than they may differ."""
TRAINING = 3
"""A training step multiplies three times as much as a forward pass: gradients of inputs and of weights come to it."""

Go = Callable[[], object]


@dataclass(frozen=True)
class Product:
    """Rows that are multiplied by the transpose of a weight ``[out, in]``, some times over."""

    rows: int
    weight: Tensor
    times: int = 1


@dataclass(frozen=True)
class Work:
    """Something to be timed.

    Attributes
    ----------
    name
        What it is.
    tokens
        Real tokens of one go.
    products
        The matrix products of one go.
    ready
        Makes everything ready at a precision and gives a function that does one go.
    """

    name: str
    tokens: int
    products: tuple[Product, ...]
    ready: Callable[[Precision], AbstractContextManager[Go]]


def speeds(context: Context, chosen: Chosen, seconds: float, on_step: OnStep | None = None) -> pd.DataFrame:
    """Measure real tokens a second (padding is no token) of scoring each task and of a nudge's steps.

    Parameters
    ----------
    chosen
        See `benchmark.chosen_scorers`; of each task the target with most tokens is scored, again and again.
    seconds
        How long each work is measured at each precision; as long again its products.
    on_step
        Told of progress.

    Returns
    -------
    DataFrame
        One row per work (``score TASK``, ``nudge step``) and precision: tokens_per_second; bound_tokens_per_second, as
        if nothing were done but the products with the base model's matrices, padding included (attention's own
        products, adapters and heads of tasks are left out); of_bound, the ratio of the two.
    """
    works = [_scoring(context, scorer, names) for scorer, names in chosen.items()] + [_nudging(context)]
    formats, rows = precisions_of(context.device), []
    for number, work in enumerate(works):
        taken: dict[Precision, list[tuple[float, float]]] = {form: [] for form in formats}
        for turn in range(ROUNDS):
            for form in formats:
                if on_step is not None:
                    on_step(f"timing {work.name} in {form}", (number + turn / ROUNDS) / len(works))
                taken[form].append(_turn(work, form, context.device, seconds / ROUNDS))
        for form, pairs in taken.items():
            going, bound = (work.tokens / median(values) for values in zip(*pairs, strict=True))
            rows.append((work.name, form, going, bound, median(b / a for a, b in pairs)))
    return pd.DataFrame(rows, columns=["work", "precision", "tokens_per_second", "bound_tokens_per_second", "of_bound"])


def _turn(work: Work, form: Precision, device: torch.device, seconds: float) -> tuple[float, float]:
    """Return seconds of one go, and of its products."""
    with work.ready(form) as go:
        going = seconds_of(go, device, seconds)
    with _multiplying(work.products, form, device) as go:
        return going, seconds_of(go, device, seconds)


def seconds_of(go: Go, device: torch.device, at_least: float) -> float:
    """Return the mean seconds of a go, over as many as take ``at_least`` seconds, after one that does not count."""

    def finished() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    go()
    began, passed, done = finished(), 0.0, 0
    while passed < at_least or not done:
        go()
        passed, done = finished() - began, done + 1
    return passed / done


def _scoring(context: Context, scorer: str, names: tuple[str, ...]) -> Work:
    task, adapter_seed = split_scorer(scorer)
    if adapter_seed is None:
        name = max(names, key=lambda each: context.text(task, each).masked.ids.size)
        tokens = context.text(task, name).masked.ids.size
        batches = [(each.input_ids, len(each.labels)) for each in context.text_batches(task, name)]
    else:
        name = max(names, key=lambda each: len(context.encoded(task, each, "test").tokens.values))
        tokens = len(context.encoded(task, name, "test").tokens.values)
        batches = [(each.input_ids, 0) for each in context.prepared(task, name).batches]
    unit = Unit(key={"protocol": context.study.protocol, "base": context.study.base.name, "setting": BASELINE})

    @contextmanager
    def ready(form: Precision) -> Iterator[Go]:
        with precise(context.device, form):
            yield lambda: list(score_targets(context, {scorer: (name,)}, unit))

    products = [each for ids, asked in batches for each in products_of(context.model, ids.numel(), asked)]
    return Work(f"score {task}", int(tokens), tuple(products), ready)


def _nudging(context: Context) -> Work:
    """Return the steps of a nudge as the study has them; clone and restoring are not timed."""
    spec = context.study.nudge
    blocks = next(iter(context.corpora.values()))
    settings = NudgeSettings(
        steps=0,
        batch_size=spec.batch_size,
        learning_rate=spec.learning_rate,
        weight_decay=spec.weight_decay,
        mask_share=spec.mask_share,
        dropout=spec.dropout,
    )
    size = spec.batch_size * spec.block
    asked = round(spec.mask_share * size)
    products = (replace(each, times=TRAINING) for each in products_of(context.model, size, asked))
    ready = partial(nudge_steps, context.model, blocks, context.vocabulary, settings)
    return Work("nudge step", size, tuple(products), ready)


@contextmanager
def nudge_steps(
    model: Backbone, blocks: NDArray[np.integer], vocabulary: Vocabulary, settings: NudgeSettings, form: Precision
) -> Iterator[Go]:
    """Yield a function that takes one more step of a nudge at a precision; the weights are restored on leaving.

    The number of steps in ``settings`` is not read: the rate stays where a nudge's first step has it.
    """
    rng = np.random.default_rng(1)

    def masked() -> Masked:
        drawn = blocks[rng.integers(len(blocks), size=settings.batch_size)]
        return mask_tokens(drawn, vocabulary, settings.mask_share, rng)

    def loss(batch: Masked) -> tuple[Tensor, int]:
        with precise(model.device, form):
            return masked_lm_loss(model, batch)

    with nudge(model, blocks, vocabulary, replace(settings, steps=0), NudgeSeeds(1, 2, 3, 4, 5)):
        weights = list(model.base_parameters().values())
        for weight in weights:
            weight.requires_grad_(True)
        model.train(settings.dropout)
        yield partial(
            next,
            descend(
                weights,
                (masked() for _ in count()),
                loss,
                steps=sys.maxsize,
                learning_rate=settings.learning_rate,
                decay="constant",
                weight_decay=settings.weight_decay,
            ),
        )


def products_of(model: Backbone, tokens: int, asked: int = 0) -> list[Product]:
    """Return the products of a forward pass over ``tokens``, of which the masked-LM head is ``asked`` some."""
    layers = model.encoder.get_submodule(model.site.layers)
    found = [Product(tokens, part.weight) for part in layers.modules() if isinstance(part, nn.Linear)]
    if asked and model.masked_lm is not None:
        found += [Product(asked, model.masked_lm.dense.weight), Product(asked, model.word_embeddings)]
    return found


@contextmanager
def _multiplying(products: tuple[Product, ...], form: Precision, device: torch.device) -> Iterator[Go]:
    kind = torch.bfloat16 if form == "bfloat16" else torch.float32
    generator = torch.Generator(device).manual_seed(1)
    # Zeros would be faster than numbers on some devices.
    wide, widths = {}, {each.weight.shape[1] for each in products}
    for width in widths:
        rows = max(each.rows for each in products if each.weight.shape[1] == width)
        wide[width] = torch.randn(rows, width, generator=generator, device=device).to(kind)
    weights = {each.weight: each.weight.detach().to(kind) for each in products}

    def go() -> None:
        for each in products:
            for _ in range(each.times):
                torch.matmul(wide[each.weight.shape[1]][: each.rows], weights[each.weight].t())

    with precise(device, "float32" if form == "bfloat16" else form), torch.inference_mode():
        yield go
