"""Adapters, fusions and heads on disk: AdapterHub's formats of 2020 to now, read and written; and our own artefact.

`folder` finds and reads the files of one `part` and brings them into the current layout (`legacy`, `layouts`);
`adapters`, `fusions` and `heads` turn parts into modules and back, key by key (`fill`, `settings`); `placing` writes
folders; `description` and `combine` work on folders alone, without a base model; `artefact` is no part of that format.

    part = read_part("AdapterHub/some-adapter", ADAPTER, base)
    adapter = build_adapter(part, base)
    write_adapter(adapter, "l1", "out/l1", base)
"""

from xltransfer.engine.checkpoint.adapters import adapter_part, build_adapter, write_adapter
from xltransfer.engine.checkpoint.artefact import save_artefact
from xltransfer.engine.checkpoint.combine import average, convert
from xltransfer.engine.checkpoint.description import describe
from xltransfer.engine.checkpoint.folder import read_part
from xltransfer.engine.checkpoint.fusions import build_fusion, fusion_part, write_fusion
from xltransfer.engine.checkpoint.heads import build_head, head_part, write_head
from xltransfer.engine.checkpoint.layouts import Base
from xltransfer.engine.checkpoint.part import ADAPTER, FUSION, HEAD, Kind, Part, check_name, chosen_name
from xltransfer.engine.checkpoint.placing import Format, place

__all__ = [
    "ADAPTER",
    "FUSION",
    "HEAD",
    "Base",
    "Format",
    "Kind",
    "Part",
    "adapter_part",
    "average",
    "build_adapter",
    "build_fusion",
    "build_head",
    "check_name",
    "chosen_name",
    "convert",
    "describe",
    "fusion_part",
    "head_part",
    "place",
    "read_part",
    "save_artefact",
    "write_adapter",
    "write_fusion",
    "write_head",
]
