"""What an artificial world is made from: its languages, its vocabulary and four rates of change.

Everything here is a number that a user may set; what the numbers do stands in the modules that use them
(``sound``, ``inheritance``, ``order``). A world is a pure function of its ``WorldSpec``.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from xltransfer.config.base import Frozen
from xltransfer.data.world.tree import GENERA, LANGUAGES, STEMS, node_names
from xltransfer.errors import near_match

Share = Annotated[float, Field(ge=0, le=1)]


class Rate(Frozen):
    """How fast one axis changes along the branches of the family tree.

    A rate r is the probability that one unit of the axis (a catalogued sound change, a lemma, a word-order parameter,
    the script) changes on a branch of length 1; on a branch of length t it is 1 - (1 - r)^t.
    """

    founding: Share = 0.0
    """Rate on the branches from the common ancestor to each family."""
    branch: Share = 0.0
    """Rate on every branch inside a family."""
    within: Mapping[str, Share] = Field(default_factory=dict)
    """Family name -> rate on all branches inside that family, instead of ``branch``."""
    at: Mapping[str, Share] = Field(default_factory=dict)
    """Family name, genus name or language code -> rate on the one branch that leads to it; goes before all others."""

    @model_validator(mode="before")
    @classmethod
    def _one_number(cls, value: Any) -> Any:
        """Read a bare number as the rate of every branch, the founding ones too."""
        if isinstance(value, int | float | str):
            return {"founding": value, "branch": value}
        return value

    @field_validator("within", "at")
    @classmethod
    def _known_nodes(cls, value: Mapping[str, float]) -> Mapping[str, float]:
        """Refuse names that no node of any tree has."""
        names = node_names()
        for name in value:
            if name not in names:
                raise ValueError(
                    f"{name!r} is no node of the family tree; give a family, a genus or a code{near_match(name, names)}"
                )
        return value

    def on(self, node: str, family: str, founding: bool) -> float:
        """Return the rate on the branch that leads to ``node`` of ``family``."""
        if node in self.at:
            return self.at[node]
        if founding:
            return self.founding
        return self.within.get(family, self.branch)


class Counts(Frozen):
    """How much of everything ``write_world`` writes for each language."""

    text: Annotated[int, Field(ge=1)] = 4000
    """Lines of plain text, one sentence each."""
    train: Annotated[int, Field(ge=1)] = 300
    """Sentences of the treebank's train part."""
    dev: Annotated[int, Field(ge=0)] = 50
    """Sentences of the treebank's dev part; 0 writes none."""
    test: Annotated[int, Field(ge=1)] = 100
    """Sentences of the treebank's test part."""
    ner_train: Annotated[int, Field(ge=1)] = 300
    """Sentences of the named-entity train part."""
    ner_test: Annotated[int, Field(ge=1)] = 100
    """Sentences of the named-entity test part."""
    parallel: Annotated[int, Field(ge=0)] = 200
    """Sentences that exist in every language; 0 writes none."""
    nli_train: Annotated[int, Field(ge=0)] = 200
    """Premises of the inference train part, three pairs each; 0 writes none."""
    nli_test: Annotated[int, Field(ge=0)] = 40
    """Premises of the inference test part, three pairs each; 0 writes no inference at all."""
    qa_train: Annotated[int, Field(ge=0)] = 200
    """Questions of the train part; 0 writes none."""
    qa_test: Annotated[int, Field(ge=0)] = 100
    """Questions of the test part; 0 writes no questions at all."""
    reviews_train: Annotated[int, Field(ge=0)] = 300
    """Reviews of the train part; 0 writes none."""
    reviews_test: Annotated[int, Field(ge=0)] = 100
    """Reviews of the test part; 0 writes no reviews at all."""


class WorldSpec(Frozen):
    """An artificial world: seed, family tree, vocabulary and rates of change."""

    seed: int = 1
    """Seed of all named streams."""
    families: tuple[tuple[Annotated[int, Field(ge=1, le=LANGUAGES)], ...], ...] = ((3, 2), (3, 2), (2, 2))
    """Languages per genus, per family; codes and names hang on the place in this table, so that adding a language
    leaves the others as they were."""
    lemmas: Annotated[int, Field(ge=200, le=20000)] = 2000
    """Content lemmas (nouns, verbs, adjectives, adverbs, names); about 60 function words come on top."""
    sound: Rate = Rate(founding=0.2, branch=0.05)
    """Sound change: probability per catalogued change and branch. A bare number means every branch."""
    lexical: Rate = Rate(founding=1.0, branch=0.18)
    """Lexical replacement: probability per lemma and branch; 1 at the founding: families share no lexicon."""
    order: Rate = Rate(founding=0.4, branch=0.1)
    """Word order: probability per parameter and branch that it flips."""
    script: Rate = Rate(
        branch=0.15, at={"Tala": 0.0, "qaa": 0.0, "Moric": 1.0, "Mora": 0.0, "qba": 0.0, "More": 1.0, "qbf": 0.0}
    )
    """Script: probability per branch that it changes to the other of the two. By default the second family is founded
    with the second script and its second genus goes back (qaa, qba and qbf keep what their genus has), so that both
    scripts are used whatever the seed, and script is never one with family."""
    counts: Counts = Counts()
    """How much ``write_world`` writes."""

    @field_validator("families")
    @classmethod
    def _fits_the_codes(cls, value: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
        """Keep the tree within the private codes qaa to qty."""
        if not 1 <= len(value) <= len(STEMS):
            raise ValueError(f"families has {len(value)} entries; give 1 to {len(STEMS)}: there are no more codes")
        for genera in value:
            if not 1 <= len(genera) <= GENERA:
                raise ValueError(f"families has a family with {len(genera)} genera; give 1 to {GENERA} in each")
        return value
