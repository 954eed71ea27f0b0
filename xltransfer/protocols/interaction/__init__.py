"""Language interaction: Faisal and Anastasopoulos (2024), section 2, Table 1 and Appendix F, with a capacity control.

Read `compositions` for what is fused with what, `wanted` for the units of a study, `training` and `scoring` for what
they do.
"""
