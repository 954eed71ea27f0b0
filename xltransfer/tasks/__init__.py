"""Tasks: how annotated sentences become batches, a loss, answers, and counts per item. One class per task shape."""

from collections.abc import Callable, Mapping

from xltransfer.config.task import TaskSpec
from xltransfer.tasks.classification import Classification
from xltransfer.tasks.dep import Dep
from xltransfer.tasks.mlm import Mlm
from xltransfer.tasks.ner import Ner
from xltransfer.tasks.pos import Pos
from xltransfer.tasks.qa import Qa
from xltransfer.tasks.task import Task

ADAPTED: Mapping[str, Callable[[TaskSpec], Task]] = {
    "pos": Pos,
    "dep": Dep,
    "ner": Ner,
    "nli": Classification,
    "qa": Qa,
    "classification": Classification,
}
"""Shapes that train a task adapter and a head."""

__all__ = ["ADAPTED", "Classification", "Dep", "Mlm", "Ner", "Pos", "Qa", "Task", "task_of"]


def task_of(spec: TaskSpec) -> Task:
    """Return the task with adapter that ``spec`` declares; raises ``KeyError`` for shape ``mlm``, which has none."""
    return ADAPTED[spec.shape](spec)
