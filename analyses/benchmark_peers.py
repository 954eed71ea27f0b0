"""Our engine beside the field's reference library: same weights, same inputs, same outputs, speeds as ratios.

The reference is AdapterHub's `adapters` 1.3.0 with the transformers that it pins, in an environment of its own
(``.venv-peers`` in the project's folder, made when it is missing) and a worker process of its own (`peers_reference`).
It draws random weights in the geometry of bert-base and writes them as AdapterHub folders; our engine reads those
(`peers_ours`). Before anything is timed the scores of both must agree within 1e-4; a difference is an error. Then the
contenders take turns of a few seconds, two threads each, the others asleep. A ratio is the median over turns of our
real tokens a second / the reference's in the same turn, so more is better for us. Sentences are as long as those of
real treebanks; the reference takes eight at a time in file order, padded to the longest of the eight.

Keys (goal in brackets):

``stack_equal`` [>= 1.0], ``stack_dynamic`` [>= 1.5]
    Tagging under Stack(language with NICE, reduction 2; task): our model on the reference's own batches, and our
    scoring loop with the batches it plans.
``fuse3_equal`` [>= 1.35], ``fuse3_dynamic`` [>= 2]
    The same under Stack(Fuse(three languages), task), reduction 16.
``fuse3_over_stack`` [<= 1.35]
    Our seconds of that composition over ours of Stack(language, task), both reduction 16, same planned batches.
``mlm_step_120k`` [>= 1.4]
    A masked-LM training step of one language adapter, 8 x 128 tokens, 15 % masked, vocabulary 120,000, AdamW.
``adapter_200_over_2`` [about 1]
    Our seconds of adding the 200th adapter over those of adding the second.
``fusions_30`` [>= 2]
    30 fusions of two languages each, with weights of their own, scored on one target of 100 sentences: the reference
    one composition after another. The better of ``fusions_30_planned`` (our planned batches, one composition after
    another) and ``fusions_30_routed`` (batches planned over five compositions, rows of several in one pass).
``peak_gib_ours``, ``peak_gib_reference`` [< 10]
    Largest resident memory of each process in the whole run.
``difference_*``
    Largest difference of scores (or of a training step's loss) in the checks.
``turns``
    The ratio of every turn.
``load_before``
    Runnable processes at the start (mean of a minute): above about 0.3 others share the cores and the ratios are noisy.

    python analyses/benchmark_peers.py [--only fuse ...] [--rounds 2] [--sentences 400] [--out FILE]
    python analyses/benchmark_peers.py --check-files

The second form times nothing: our engine reads the cases of ``shared/goldens``, writes their adapters, fusions and
heads anew as safetensors and as bin, the reference loads what was written, and its scores must equal ours and the
golden arrays. The last line is one JSON object. About twelve minutes on two quiet cores, the second form half a minute.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import peers_cases
import peers_ours
import torch
from benchmark_engine import SHARED
from safetensors.torch import load_file, save_file

from xltransfer.engine.checkpoint import Format

THREADS = 2
LEAST = 240
"""Sentences; a quarter of them under five compositions make five batches of `peers_cases.TOKEN_BUDGET` or more."""
PROJECT = Path(__file__).resolve().parents[1]
PEERS = ("adapters==1.3.0", "transformers==4.57.6", "torch==2.13.0")
GOALS = {
    "stack_equal": ">= 1.0",
    "stack_dynamic": ">= 1.5",
    "fuse3_equal": ">= 1.35",
    "fuse3_dynamic": ">= 2",
    "fuse3_over_stack": "<= 1.35",
    "mlm_step_120k": ">= 1.4",
    "adapter_200_over_2": "about 1",
    "fusions_30": ">= 2",
    "peak_gib_ours": "< 10",
    "peak_gib_reference": "< 10",
}
NOT_FILES = ("a0_", "a3_", "a4_", "a5_", "f5_", "h1_")
"""Cases without an adapter's files, of something else than scores, and of the library's faults."""
FORMS: tuple[Format, ...] = ("safetensors", "bin")
INPUTS = ("input_ids", "attention_mask", "token_type_ids", "word_starts")


def environment(folder: Path) -> Path:
    """Return the interpreter of the reference's environment; makes it where it is missing or holds other versions."""
    python, installed = folder / "bin" / "python", folder / ".installed"
    wanted = "\n".join(PEERS)
    if not installed.is_file() or installed.read_text() != wanted:
        print(f"installing {', '.join(PEERS)} into {folder.name}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS], check=True, stdout=sys.stderr)
        installed.write_text(wanted)
    return python


class Worker:
    """A process that runs a script and answers requests, one JSON object a line each way; asleep between two of them.

    Parameters
    ----------
    command
        What to start; see `peers_reference.serve` for the other end.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, do: str, **arguments: Any) -> Any:
        """Return the result of the method ``do``; RuntimeError with the worker's traceback where it failed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        reply = json.loads(line) if line else {"error": "the worker has ended without an answer"}
        if "error" in reply:
            raise RuntimeError(f"{do}: {reply['error']}")
        return reply["answer"]


def reference(python: Path) -> Worker:
    """Start the reference library's worker."""
    script = Path(__file__).with_name("peers_reference.py")
    return Worker([str(python), "-W", "ignore", str(script), str(THREADS)])


def processor() -> str:
    """Return the processor's name as Linux tells it, or an empty text."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def versions(peer: Worker) -> dict[str, Mapping[str, str]]:
    """Return the versions of what runs on either side."""
    own = {name: version(name) for name in ("xltransfer", "transformers", "torch")}
    return {"ours": own, "reference": peer.ask("versions")}


def compare(peer: Worker, only: Sequence[str], size: peers_cases.Size) -> dict[str, Any]:
    """Run the cases and return their figures, with the versions and the machine."""
    load_before = os.getloadavg()[0]
    result: dict[str, Any] = {}
    turns: dict[str, list[float]] = {}
    for name in only:
        print(f"case {name}", file=sys.stderr, flush=True)
        with TemporaryDirectory() as place:
            figures = peers_cases.CASES[name](peer, Path(place), size)
        turns |= figures.pop("turns", {})
        result |= figures
    result |= {"peak_gib_ours": peers_ours.peak_gib(), "peak_gib_reference": peer.ask("peak_gib")}
    return {
        **{key: round(value, 8 if key.startswith("difference") else 4) for key, value in result.items()},
        "turns": {key: [round(value, 3) for value in values] for key, values in turns.items()},
        "goals": {key: goal for key, goal in GOALS.items() if key in result},
        "versions": versions(peer),
        "device": {"processor": processor(), "cores": os.cpu_count(), "threads": THREADS, "precision": "float32"},
        "load_before": round(load_before, 2),
    }


def check_files(peer: Worker, goldens: Path) -> dict[str, Any]:
    """Return the largest difference of each golden case after our engine has written its files anew.

    Raises
    ------
    ValueError
        A score of the reference with those files is off by more than `peers_cases.TOLERANCE`.
    """
    found: dict[str, float] = {}
    for entry in json.loads((goldens / "index.json").read_text())["cases"]:
        if entry["id"].split("/")[1].startswith(NOT_FILES):
            continue
        differences = []
        for form in FORMS:
            with TemporaryDirectory() as place:
                differences.append(check_case(peer, goldens, goldens / entry["folder"], Path(place), form))
        found[entry["id"]] = round(max(differences), 8)
        print(f"{entry['id']}: {found[entry['id']]:.1e}", flush=True)
    return {"largest": max(found.values()), "cases": found, "versions": versions(peer)}


def check_case(peer: Worker, goldens: Path, folder: Path, place: Path, form: Format) -> float:
    """Return the largest difference between the reference with our files and ours, or the golden scores.

    ``form``: that of the weights, ``safetensors`` or ``bin``.
    """
    about = json.loads((folder / "case.json").read_text())
    arrays = load_file(folder / about["arrays_file"])
    parts = {kind: _folders(goldens, about.get(kind)) for kind in ("adapters", "fusions", "heads")}
    folders: dict[str, Any] = {"base": str(goldens / about["base_model"]), **parts}
    model = peers_ours.load(folders)
    padding = -1 if "word_starts" in arrays else None
    peer.ask("load", folders=peers_ours.write(model, folders, place, form), word_padding=padding)
    inputs = {name: arrays[name] for name in INPUTS if name in arrays}
    save_file({f"0.{name}": tensor for name, tensor in inputs.items()}, place / "inputs")
    peer.ask("hold", name="case", path=str(place / "inputs"))
    text, head = about["composition_text"], about["active_head"]
    peer.ask("answer", text=text, head=head, batches="case", path=str(place / "scores"))
    mine = peers_ours.scores(model, head, inputs, text)
    worst = 0.0
    for key, theirs in load_file(place / "scores").items():
        name = key.removeprefix("0.")
        for expected in (mine[name], arrays[name]):
            worst = max(worst, peers_cases.agree(f"{about['id']}, {name}", expected, theirs))
    return worst


def _folders(goldens: Path, parts: Mapping[str, Mapping[str, str]] | None) -> dict[str, str]:
    return {name: str(goldens / where["folder"]) for name, where in (parts or {}).items()}


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=tuple(peers_cases.CASES), default=list(peers_cases.CASES))
    parser.add_argument(
        "--rounds", type=int, default=2, help="how often all sentences are scored; twice as many training steps"
    )
    parser.add_argument("--sentences", type=int, default=400, help="sentences to score; a quarter for the 30 fusions")
    parser.add_argument("--check-files", action="store_true", help="check files that our engine writes; time nothing")
    parser.add_argument("--out", type=Path, help="also write the JSON object into this file")
    read = parser.parse_args(given)
    if read.rounds < 1 or read.sentences < LEAST:
        parser.error(f"expected --rounds of at least 1 and --sentences of at least {LEAST}, so that no turn is empty")
    return read


def main() -> None:
    """Run the benchmark or the check of files and print the JSON line."""
    given = arguments()
    torch.set_num_threads(THREADS)
    with reference(environment(PROJECT / ".venv-peers")) as peer:
        if given.check_files:
            result = check_files(peer, SHARED / "goldens")
        else:
            result = compare(peer, given.only, peers_cases.Size(given.rounds, given.sentences))
    result["command"] = shlex.join(["python", "analyses/benchmark_peers.py", *sys.argv[1:]])
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
