"""How fast language adapters train together, against one after another, and what adding one more costs. JSON on stdout.

Each adapter has its own batch and logits at its own masked positions. ``joint`` and ``apart`` are seconds of a step of
all J adapters, in one pass or in J passes; both take turns, and the median over rounds of their ratio is reported,
because a shared machine drifts. ``add`` is the seconds of adding an adapter to a model that holds 1 or 199 others.

Usage: ``python analyses/benchmark_bank.py MODEL [--rows 8] [--tokens 128] [--reduction 16] [--rounds 5] [--threads 1]``
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from itertools import repeat

import torch
import transformers
from torch import Tensor
from torch.nn import functional

from xltransfer.engine import Backbone, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.bank import Batch, Trainee, View, train_together
from xltransfer.engine.fit import DescentSettings

SIZES = (1, 4, 8)
STEPS = 4
MASKED = 0.15


def loss(view: View, batch: Batch) -> tuple[Tensor, int]:
    """Return the summed cross entropy at the masked positions and their number."""
    positions, labels = batch.gold
    logits = view.ask("masked_lm", positions).logits
    return functional.cross_entropy(logits, labels, reduction="sum"), len(labels)


def trainees(model: Backbone, rows: int, tokens: int) -> list[Trainee]:
    """Return a training of `STEPS` steps for every adapter in the model, each on a random batch of its own."""
    made, words = [], len(model.word_embeddings)
    for number, name in enumerate(model.adapters):
        draw = torch.Generator().manual_seed(number)
        ids = torch.randint(5, words, (rows, tokens), generator=draw)
        positions = torch.randperm(rows * tokens, generator=draw)[: round(MASKED * rows * tokens)]
        gold = positions.to(model.device), torch.randint(5, words, positions.shape, generator=draw).to(model.device)
        batch = Batch(ids.to(model.device), Stack(name), gold=gold)
        made.append(Trainee(name, (model.adapters[name],), repeat(batch), loss, DescentSettings(STEPS, 1e-4)))
    return made


def step_seconds(model: Backbone, chosen: Sequence[Trainee], at_once: int) -> float:
    """Return the seconds in which every one of ``chosen`` takes a step, the first step left out."""
    stamps: list[float] = []

    def stamp(names: Sequence[str]) -> None:
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
        stamps.append(time.perf_counter())

    train_together(model, chosen, at_once=at_once, on_pass=stamp)
    passes = len(chosen) // at_once
    return statistics.median(b - a for a, b in zip(stamps, stamps[1:], strict=False)) * passes


def seconds_to_add(model: Backbone, config: AdapterConfig, held: int, repeats: int = 20) -> float:
    """Return the median seconds of adding one adapter to a model that holds ``held`` others."""
    for number in range(len(model.adapters), held):
        model.add_adapter(f"l{number}", config)
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        model.add_adapter("another", config)
        spent.append(time.perf_counter() - began)
        del model.adapters["another"]
    return statistics.median(spent)


def measure(model: Backbone, config: AdapterConfig, rows: int, tokens: int, rounds: int) -> dict[str, object]:
    """Return every figure as plain data."""
    speed = []
    for size in SIZES:
        for number in range(len(model.adapters), size):
            model.add_adapter(f"l{number}", config)
        chosen = trainees(model, rows, tokens)
        step_seconds(model, chosen[:1], at_once=1)
        pairs = [(step_seconds(model, chosen, size), step_seconds(model, chosen, 1)) for _ in range(rounds)]
        joint, apart = (statistics.median(column) for column in zip(*pairs, strict=True))
        gain = statistics.median(b / a for a, b in pairs)
        speed.append({"adapters": size, "joint": round(joint, 4), "apart": round(apart, 4), "gain": round(gain, 3)})
    model.adapters.clear()
    return {"speed": speed, "add": {held + 1: round(seconds_to_add(model, config, held), 6) for held in (1, 199)}}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    for name, default in (("rows", 8), ("tokens", 128), ("reduction", 16), ("rounds", 5), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = Backbone.load(given.model).to(device).requires_grad_(False)
    found = measure(model, AdapterConfig(given.reduction), given.rows, given.tokens, given.rounds)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "device": str(device)}
    print(json.dumps(vars(given) | versions | found))


if __name__ == "__main__":
    main()
