"""How many trainees of a bank fit into memory at once.

    bytes of J trainees  =  J · each + once
    each  =  s · (1 + 1/L) + 6 · w        once  =  3 · n · (bytes of a score)

s: what autograd keeps of one trainee's forward pass, counted in such a pass, so that every architecture, adapter and
attention is counted as it is. L: layers; a backward pass works on one of them at a time, and that work is about what a
layer keeps. w: its weights, beside which lie their copy in the pass, two gradients and AdamW's two moments (the sixth
is the weights themselves, which may still have to be made). n: scores that one loss holds at once (masked positions ×
vocabulary); one trainee's are gone before the next one's are made.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from xltransfer.engine.backbone import Backbone
from xltransfer.engine.bank import BaseDropout, borrowed, collate
from xltransfer.engine.row_dropout import Part, RowDropout
from xltransfer.engine.trainee import Batch
from xltransfer.errors import ConfigError

HEADROOM = {"cpu": 2.5, "cuda": 1.2}
"""Memory taken from the system per byte of tensors, by kind of device: the C library keeps freed pieces (measured with
4 and 8 adapters over a mini BERT: 1.8 to 2.7), CUDA's allocator fewer (not measured)."""
_GIB = 2**30


def bank_size(
    model: Backbone,
    modules: Sequence[nn.Module],
    batch: Batch,
    scores: int,
    *,
    base_dropout: BaseDropout = "off",
    memory: int | None = None,
) -> int:
    """Return how many trainees like this one can be trained in one pass.

    Parameters
    ----------
    modules, batch
        What one trainee trains, and the largest batch that it may have; one forward pass is made with them.
    scores
        Numbers that its loss holds at once: predictions of a batch × labels.
    memory
        Bytes to fill; None: the memory at hand.

    Raises
    ------
    ConfigError
        Not even one fits, or the memory at hand cannot be read.
    """
    device = model.device
    have = (memory_at_hand(device) if memory is None else memory) / HEADROOM[device.type]
    each, once = footprint(model, modules, batch, scores, base_dropout)
    if each + once > have:
        rows, tokens = batch.input_ids.shape
        raise ConfigError(
            f"training one adapter with {rows} x {tokens} tokens a batch takes about {(each + once) / _GIB:.2f} GiB "
            f"of tensors, and there is room for {have / _GIB:.2f} GiB; lower the batch size or the tokens of a block, "
            "or make room"
        )
    return int((have - once) // each)


def footprint(
    model: Backbone, modules: Sequence[nn.Module], batch: Batch, scores: int, base_dropout: BaseDropout = "off"
) -> tuple[int, int]:
    """Return bytes of tensors that each trainee adds, and bytes that are needed once; see above."""
    kept = _kept_bytes(model, modules, batch, base_dropout)
    weights = sum(part.numel() * part.element_size() for module in modules for part in module.parameters())
    return int(kept * (1 + 1 / model.depth) + 6 * weights), 3 * scores * model.word_embeddings.element_size()


def _kept_bytes(model: Backbone, modules: Sequence[nn.Module], batch: Batch, base_dropout: BaseDropout) -> int:
    """Return the bytes that autograd keeps of one forward pass, weights left out."""
    joint = collate([batch], model.device, pad=0)
    weights = {part.untyped_storage().data_ptr() for part in model.parameters()}
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    dropout = RowDropout()
    dropout.parts = [Part(len(batch.input_ids), batch.input_ids.shape[1], torch.Generator(model.device))]
    with borrowed(model):
        model.eval()
        for module in modules:
            module.train().requires_grad_(True)
        model.encoder.train(base_dropout == "on")
        routed = model.routed(batch.composition, len(joint.input_ids))
        with dropout, torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            # The graph must live while its tensors are counted: storages are told apart by their addresses.
            states = model.encode(routed, joint.input_ids, joint.attention_mask, joint.token_type_ids)
        del states
    return sum(kept.values())


def memory_at_hand(device: torch.device) -> int:
    """Return the bytes that this process could still take on ``device``.

    Raises
    ------
    ConfigError
        On a system that does not tell.
    """
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    table = Path("/proc/meminfo")
    if not table.is_file():
        raise ConfigError("this system does not tell how much memory is free; say how many to train at once yourself")
    return available(table.read_text())


def available(meminfo: str) -> int:
    """Read the bytes that can still be taken from the text of Linux's ``/proc/meminfo``."""
    sizes = dict(line.split(":") for line in meminfo.splitlines() if ":" in line)
    return int(sizes["MemAvailable"].split()[0]) * 1024
