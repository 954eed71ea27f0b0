"""Alignment of languages, layer by layer, in any state of a model: protocols.md section 4, tlr2023 Figure 3.

Read `pairs` for what is compared with what, `states` for the states of the model, `measure` for how one is measured.
"""
