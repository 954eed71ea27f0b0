"""Few-step transfer scores: Faisal and Anastasopoulos (2024), section 2 and appendix E, with controls.

Read `wanted` for what a study consists of, `scoring` for how a model is made and scored, `run` for the whole.
"""
