"""``xltransfer merge``: several results folders of one study put together."""

from pathlib import Path
from typing import Annotated

import typer


def merge(
    folders: Annotated[list[Path], typer.Argument(help="Results folders of one study.")],
    out: Annotated[Path, typer.Option(help="Where to; made if absent, else it takes part in the checks.")],
) -> None:
    """Copy the units of FOLDERS into --out. Nothing is copied unless settings, files and shared units are the same.

    The folders themselves are left as they are. What --out still lacks is done by 'xltransfer run STUDY --out OUT'.
    """
    from xltransfer.runs.merge import merge as merge_folders
    from xltransfer.runs.status import status

    copied = merge_folders(folders, out)
    now = status(out)
    print(f"{copied} files copied from {len(folders)} folders into {out}")
    print(f"{out} has {now.measured} measured units and {now.artefacts} artefacts, {len(now.failed)} failures are open")
