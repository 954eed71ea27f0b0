"""What a results folder remembers of an interaction study.

Left out of the settings is what a later study may add to: corpora, pairs, triples, fusions, the control, targets.
"""

from typing import Any

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.protocols.study_language_adapters import corpora_of
from xltransfer.protocols.transfer.header import header_with
from xltransfer.runs.folder import Header


def header_of(resolved: ResolvedStudy, tokenizer: Any, device: str) -> Header:
    """Return the header of a run of ``resolved`` on a kind of device; reads every file of the study once."""
    spec = resolved.study.interaction
    settings = {"interaction": spec.model_dump(mode="json", include={"block", "adapters", "fusions"})}
    names = {ref.language: ref.name for ref in resolved.corpora}
    corpora = {names[code]: blocks for code, blocks in corpora_of(resolved, spec.block).items()}
    return header_with(resolved, device, settings, corpora)
