"""What the numbers of an interaction report mean, and whom to cite."""

from typing import Final

from xltransfer.report.provenance import ADAPTERS, STUDY

METHODS: Final = (
    "[T] is the task adapter alone; [A] the same task adapter on top of A's language adapter; [AB] and [ABC] on top "
    "of a fusion of two or three language adapters; [AA′] on top of a fusion of A's adapter with a second one of A, "
    "trained on the same text from another seed. A gains from being fused, +A, where the fused composition scores "
    "higher than what it is compared with on A's own test data. Differences are in points or nats, and positive is "
    "always an improvement.",
    "Against [A] is the published comparison. A fusion has weights that a single adapter lacks, so [AB] − [A] mixes "
    "what B does with what more capacity does; [AB] − [AA′] has the same number of weights on both sides, and is the "
    "interference of B on A. A trained fusion is trained by masked-LM on text of its members in equal parts; an "
    "untrained one is left as it was drawn (the published code never trains it); a uniform one is the plain mean of "
    "the members, to which the untrained one is near.",
    "A language's coordinates are its mean sign vector over all its compositions in which nobody ties: x for A "
    "itself, y for B, z for C, each from −1 (always a loss) to 1 (always a gain). Ties are counted apart and are in "
    "no sign, and so are compositions of which a member has no score. The dead zone makes ties of differences within "
    "so many item standard errors. Ellipses and intervals of coordinates are for other partner languages (jackknife "
    "over partners, Hotelling; exact binomial with an effective number of compositions for a single axis); those of "
    "means and shares are for other languages (one left out at a time). Neither is for other seeds: one adapter of A "
    "stands behind all differences of A, and its luck is shared by all partners.",
    "The item standard error of a difference is taken sentence by sentence (by documents, premises or paragraphs where "
    "there are such), since both compositions score the same ones. A test set whose score by the task adapter alone is "
    "not shown to be above the trivial predictor, or that is too small or unreadable for the tokenizer, is shown but "
    "gives no sign.",
)

CITE: Final = (
    STUDY,
    ADAPTERS,
    "Jonas Pfeiffer, Aishwarya Kamath, Andreas Rücklé, Kyunghyun Cho and Iryna Gurevych. 2021. AdapterFusion: "
    "Non-Destructive Task Composition for Transfer Learning. EACL. (The fusion.)",
    "Patrick Littell, David R. Mortensen, Ke Lin, Katherine Kairis, Carlisle Turner and Lori Levin. 2017. URIEL and "
    "lang2vec: Representing Languages as Typological, Geographical, and Phylogenetic Vectors. EACL. (Who is near.)",
)
