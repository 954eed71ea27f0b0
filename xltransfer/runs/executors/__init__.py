"""Executors: call a top-level ``work`` function for every unit that is not present, here, in processes, or on Slurm.

All three have the same contract. Units are skipped if they are present right before they start. A unit that fails is
recorded and the run goes on. A stage starts when all units of the one before have ended. Events tell the caller what
happens, the outcome what happened.
"""
