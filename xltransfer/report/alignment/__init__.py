"""The report of an alignment run: `findings` computes, `contents` and `charts` declare, `page` puts them in order."""

from xltransfer.report.alignment.assemble import assemble

__all__ = ["assemble"]
