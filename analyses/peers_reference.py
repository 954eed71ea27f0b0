"""The reference library's side of `benchmark_peers`: a worker in the interpreter of ``.venv-peers``.

It reads one JSON object a line from standard input, calls the method of `Reference` that ``do`` names with the other
keys as arguments, and answers with one JSON object a line. Tensors travel as safetensors files. Between two requests it
sleeps on the pipe.

What it times is what the library's users run: active adapters set once a composition, eight sentences a batch with
their attention mask, logits everywhere, the default attention kernel; training with ``labels`` that are -100 where
nothing is predicted, and transformers' default optimizer (fused AdamW). Only dropout is off and only the adapter
trains, as on our side.
"""

import ast
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import adapters  # type: ignore[import-not-found]
import torch
import transformers
from adapters import AutoAdapterModel, BertAdapterModel, SeqBnConfig, SeqBnInvConfig
from adapters.composition import Fuse, Stack  # type: ignore[import-not-found]
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertConfig, BertModel

SCORES = ("logits", "start_logits", "end_logits", "arc_preds", "rel_preds")


def composition(text: str) -> Any:
    """Read ``Stack(Fuse(l1, l2), t1)`` as the library's objects."""

    def read(node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return {"Stack": Stack, "Fuse": Fuse}[node.func.id](*map(read, node.args))
        raise ValueError(f"composition {text!r} is not made of Stack, Fuse and names")

    return read(ast.parse(text, mode="eval").body)


def draw(module: torch.nn.Module, keep: Tensor) -> None:
    """Give every parameter but ``keep`` random values away from zero: matrices and biases N(0, 0.04), norms near 1."""
    for name, parameter in module.named_parameters():
        if parameter is keep:
            continue
        centre = 1.0 if parameter.dim() == 1 and name.endswith("weight") else 0.0
        torch.nn.init.normal_(parameter, mean=centre, std=0.04)


class Reference:
    """One model of the library, its batches, and what may be asked of it."""

    def __init__(self) -> None:
        self.model: Any = None
        self.batches: dict[str, list[dict[str, Tensor]]] = {}
        self.training: tuple[Any, dict[str, Tensor]] | None = None

    def versions(self) -> dict[str, str]:
        """Return the versions of what runs here."""
        return {"adapters": adapters.__version__, "transformers": transformers.__version__, "torch": torch.__version__}

    def build(
        self,
        folder: str,
        vocabulary: int,
        languages: Mapping[str, int],
        tasks: Mapping[str, int],
        fusions: Sequence[str],
        labels: int | None,
        seed: int,
    ) -> dict[str, Any]:
        """Make a model with random weights, keep it, and write every part of it into ``folder``.

        Parameters
        ----------
        vocabulary
            Number of subwords; the rest of the geometry is bert-base.
        languages, tasks
            Reduction of each adapter; language adapters have NICE.
        fusions
            Comma-joined names.
        labels
            Of a tagging head "head"; None: a masked-LM head "head" that is tied to the word embeddings.

        Returns
        -------
        dict
            Where the parts lie: ``base`` a folder, ``adapters``, ``fusions``, ``heads`` folders by name.
        """
        torch.manual_seed(seed)
        place = Path(folder)
        BertModel(BertConfig(vocab_size=vocabulary)).save_pretrained(place / "base")
        self.model = model = BertAdapterModel.from_pretrained(place / "base")
        for name, reduction in languages.items():
            model.add_adapter(name, config=SeqBnInvConfig(reduction_factor=reduction))
        for name, reduction in tasks.items():
            model.add_adapter(name, config=SeqBnConfig(reduction_factor=reduction))
        for name in fusions:
            model.add_adapter_fusion(Fuse(*name.split(",")))
        if labels is None:
            model.add_masked_lm_head("head")
        else:
            model.add_tagging_head("head", num_labels=labels)
        with torch.no_grad():
            for name, module in model.named_modules():
                if name.split(".")[-1] in ("adapters", "adapter_fusion_layer", "invertible_adapters", "heads"):
                    draw(module, model.get_input_embeddings().weight)
        model.eval()
        return self._write(place, [*languages, *tasks], fusions)

    def _write(self, place: Path, names: Sequence[str], fusions: Sequence[str]) -> dict[str, Any]:
        folders: dict[str, Any] = {"base": str(place / "base"), "adapters": {}, "fusions": {}, "heads": {}}
        for kind in ("adapters", "fusions", "heads"):
            (place / kind).mkdir()
        for name in names:
            where = folders["adapters"][name] = str(place / "adapters" / name)
            self.model.save_adapter(where, name, with_head=False, use_safetensors=True)
        for name in fusions:
            where = folders["fusions"][name] = str(place / "fusions" / name.replace(",", "-"))
            self.model.save_adapter_fusion(where, name, use_safetensors=True)
        folders["heads"]["head"] = str(place / "heads" / "head")
        self.model.save_head(folders["heads"]["head"], "head", use_safetensors=True)
        return folders

    def load(self, folders: Mapping[str, Any], word_padding: int | None = None) -> None:
        """Load a model from the folders that `build` describes.

        ``word_padding``: what fills ``word_starts``; the library takes the model's ``pad_token_id`` for it.
        """
        self.model = AutoAdapterModel.from_pretrained(folders["base"], attn_implementation="eager")
        for name, folder in folders["adapters"].items():
            self.model.load_adapter(folder, load_as=name, with_head=False, use_safetensors=True)
        for folder in folders["fusions"].values():
            self.model.load_adapter_fusion(folder, with_head=False, use_safetensors=True)
        for name, folder in folders["heads"].items():
            self.model.load_head(folder, load_as=name, use_safetensors=True)
        if word_padding is not None:
            self.model.config.pad_token_id = word_padding
        self.model.eval()

    def hold(self, name: str, path: str) -> None:
        """Keep the batches in the file ``path`` (keys ``NUMBER.ARGUMENT``) under ``name``."""
        batches: dict[int, dict[str, Tensor]] = {}
        for key, tensor in load_file(path).items():
            number, _, argument = key.partition(".")
            batches.setdefault(int(number), {})[argument] = tensor
        self.batches[name] = [batches[number] for number in sorted(batches)]

    @torch.inference_mode()
    def answer(self, text: str, head: str, batches: str, path: str) -> None:
        """Write the scores of every batch under a composition into the file ``path`` (keys ``NUMBER.SCORES``)."""
        self.model.set_active_adapters(composition(text))
        written = {}
        for number, batch in enumerate(self.batches[batches]):
            out = self.model(**batch, head=head)
            for name in SCORES:
                if getattr(out, name, None) is not None:
                    written[f"{number}.{name}"] = getattr(out, name).contiguous()
        save_file(written, path)

    @torch.inference_mode()
    def score(self, text: str, head: str, batches: str, numbers: Sequence[int]) -> float:
        """Return the seconds of tagging some batches under a composition."""
        start = time.perf_counter()
        self.model.set_active_adapters(composition(text))
        for number in numbers:
            self.model(**self.batches[batches][number], head=head).logits.argmax(dim=-1).tolist()
        return time.perf_counter() - start

    def train(self, adapter: str, head: str, path: str, learning_rate: float) -> None:
        """Get ready for masked-LM training of one adapter on the batch (``input_ids``, ``labels``) in ``path``."""
        self.model.train_adapter(adapter)
        self.model.active_head = head
        self.model.heads.requires_grad_(False)
        self.model.eval()
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.training = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=0.0, fused=True), load_file(path)

    def step(self) -> dict[str, float]:
        """Take one step and return its loss and its seconds."""
        if self.training is None:
            raise ValueError("step is asked for before train")
        optimizer, batch = self.training
        start = time.perf_counter()
        loss = self.model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": float(loss.detach()), "seconds": time.perf_counter() - start}

    def peak_gib(self) -> float:
        """Return the largest resident memory of this process so far."""
        status = Path("/proc/self/status").read_text().split("VmHWM:")[1]
        return int(status.split()[0]) / 2**20


def serve(threads: int) -> None:
    """Answer requests until standard input ends."""
    # Whatever a library prints goes to standard error; the pipe carries answers only.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for library in ("transformers", "adapters"):
        logging.getLogger(library).setLevel(logging.ERROR)
    torch.set_num_threads(threads)
    reference = Reference()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"answer": getattr(reference, request.pop("do"))(**request)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
