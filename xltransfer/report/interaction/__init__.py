"""The report of an interaction run: who gains and who loses where language adapters are fused.

`reading` takes scores, differences and sign patterns from a results folder, for scripts too; `findings` computes every
frame; `contents`, `charts` and `sentences` say what is shown of them; `page` puts it in order.
"""

from xltransfer.report.interaction.assemble import assemble

__all__ = ["assemble"]
