"""Faisal and Anastasopoulos (2024): the lists of languages, Tables 19, 20 and 24 to 29, and what the text counts."""

from collections.abc import Iterator

import pandas as pd

from audit.comparison import Finding, Read, Value, number, share, text
from audit.stated import Stated
from xltransfer.config.manifests import language_table, load_model

LANGUAGE_TABLES = {
    "24": "table24_transfer_languages",
    "25": "table25_udp_pos_training_languages",
    "26-28": "tables26-28_training_languages",
}
COLUMNS = {"dep": "udp_pos", "pos": "udp_pos", "ner": "ner", "xnli": "xnli", "anli": "anli", "tydiqa": "tydiqa"}
"""Task to the column of Table 29 with its evaluation languages."""


def findings(read: Read) -> Iterator[Finding]:
    """Compare counts and shares with the lists."""
    stated = Stated(read("stated_numbers"))
    yield from _counts(stated, read)
    yield from _recipients(stated, read)
    yield from _max_recipients(stated, read)
    yield from _named(read)
    yield from _attributes(read)


def on_mbert_list(code: str) -> bool:
    """Say whether the published list of multilingual BERT has a language."""
    return language_table().get(code).code in language_table().covered_by(load_model("mbert-cased").seen)


def unseen_transfer_languages(read: Read) -> frozenset[str]:
    """Return the transfer languages that the paper calls unseen; one of them is on multilingual BERT's list."""
    table = read("table24_transfer_languages")
    return frozenset(table[table["mbert_seen"] == "no"]["iso639_3"])


def targets(read: Read, task: str) -> list[str]:
    """Return the evaluation languages of a task, from Table 29."""
    table = read("table29_evaluation_languages")
    return list(table[table[COLUMNS[task]] == "1"]["iso639_3"])


def _counts(stated: Stated, read: Read) -> Iterator[Finding]:
    """How many languages there are of what."""
    transfer = read("table24_transfer_languages")
    evaluation = set(read("table29_evaluation_languages")["iso639_3"])
    codes = list(transfer["iso639_3"])
    marks = "Table 29; its check marks are lost, the columns follow the authors' metadata"
    for key, task in (("udp", "dep"), ("ner", "ner"), ("xnli", "xnli"), ("anli", "anli"), ("tydiqa", "tydiqa")):
        yield stated.count(f"targets_{key}", len(targets(read, task)), marks)
    yield stated.count("targets_common", len(set(targets(read, "dep")) & set(targets(read, "ner"))), marks)
    yield stated.count("evaluation_languages", len(evaluation), "Table 29")
    extra = sorted(set(codes) - evaluation)
    yield stated.count(
        "languages_in_all", len(evaluation | set(codes)), f"Tables 24 and 29; not in 29: {' '.join(extra)}"
    )
    yield stated.count("transfer_languages", len(set(codes)), "Table 24")
    off_list = [code for code in codes if not on_mbert_list(code)]
    more = sorted(unseen_transfer_languages(read) - set(off_list))
    note = f"transfer languages that multilingual BERT's published list lacks; the paper counts {' '.join(more)} too"
    yield stated.count("unseen_transfer_languages", len(off_list), note)
    families = set(transfer["family"]) - {"other"}
    yield stated.count("families", len(families), "Table 24, without 'other'")
    yield stated.count("genera", transfer["genus"].nunique(), "Table 24")
    yield stated.count("scripts", transfer["script"].nunique(), "Table 24")
    own = transfer[transfer["mbert_seen"] == "no"]["family"]
    yield stated.included("unseen_families", own, "families of the unseen transfer languages in Table 24")
    largest = read("table25_udp_pos_training_languages")["n_examples"].astype(int)
    note = f"largest '# Examples' of Table 25; {int((largest > 1000).sum())} of {len(largest)} treebanks have more"
    note += "; no contradiction if the column is not what was trained on"
    yield stated.at_most("training_examples", Value.exact(int(largest.max())), note)


def _recipients(stated: Stated, read: Read) -> Iterator[Finding]:
    """Table 19 and its shares."""
    table = read("table19_recipients")
    size = {task: len(targets(read, task)) for task in ("dep", "pos", "ner")}
    listed = {key: list(group["lang"]) for key, group in table.groupby(["task", "category"])}
    for task in ("dep", "pos", "ner"):
        never = len(listed.get((task, "never"), []))
        for key in (f"never_{task}", f"never_{task}_appendix"):
            yield stated.number(key, share(never, size[task]), f"Table 19: {never} of {size[task]}")
    universal = {task: len(listed.get((task, "universal"), [])) for task in size}
    ends = [share(universal[task], size[task]) for task in ("dep", "ner")]
    yield stated.within("universal_recipients", ends, "parsing; NER")
    yield stated.count("universal_recipients_pos", universal["pos"], "Table 19")
    near = [lang for (_, category), langs in listed.items() if category != "never" for lang in langs]
    yield stated.count("near_universal", len(near), f"entries of Table 19; {len(set(near))} different languages")
    called_unseen = unseen_transfer_languages(read)
    off_list = [lang for lang in near if not on_mbert_list(lang)]
    unseen = [lang for lang in near if lang in called_unseen or lang in off_list]
    note = f"off multilingual BERT's list ({len(off_list)}) or called unseen in Table 24; {len(set(unseen))} different"
    yield stated.count("near_universal_unseen", len(unseen), note)


def _max_recipients(stated: Stated, read: Read) -> Iterator[Finding]:
    """Table 20: which targets gain most."""
    recipients = set(read("table20_max_recipients")["recipient"])
    seen = {lang for lang in recipients if on_mbert_list(lang)}
    yield stated.count("max_recipients", len(recipients), "Table 20")
    yield stated.count("max_recipients_unseen", len(recipients - seen), "off multilingual BERT's list")
    yield stated.names("max_recipients_seen", seen, "on multilingual BERT's list")
    yield stated.names("max_recipients_unseen_names", recipients - seen, "off multilingual BERT's list")


def _named(read: Read) -> Iterator[Finding]:
    """Tables 15 to 18, 20 and 22 name transfer languages of Table 24; Tables 19, 20 and 23 targets of Table 29."""
    transfer = set(read("table24_transfer_languages")["iso639_3"])
    for table, name, column in (
        ("Tables 15-18", "tables15-18_transfer_ranking", "lang"),
        ("Table 20", "table20_max_recipients", "transfer_lang"),
        ("Table 22", "table22_variance_ranking", "lang"),
    ):
        for task, group in read(name).groupby("task", sort=False):
            yield _among(table, f"transfer languages, {task}", set(group[column]), transfer, "24")
    for table, name, column in (
        ("Table 19", "table19_recipients", "lang"),
        ("Table 20", "table20_max_recipients", "recipient"),
        ("Table 23", "table23_variance_characteristics", "target_lang"),
    ):
        for task, group in read(name).groupby("task", sort=False):
            yield _among(table, f"targets, {task}", set(group[column]) - {"-"}, set(targets(read, task)), "29")


def _among(item: str, what: str, named: set[str], known: set[str], table: str) -> Finding:
    """Compare how many languages are named with how many of them the list of another table has."""
    strangers = " ".join(sorted(named - known))
    note = f"those that are in Table {table}" + (f"; not {strangers}" if strangers else "")
    return number(item, f"different {what}", str(len(named)), Value.exact(len(named & known)), note)


def _attributes(read: Read) -> Iterator[Finding]:
    """Code, family, genus and script of a language are the same in each of Tables 24 to 29 that has it."""
    parts = [read(name).assign(part=part) for part, name in LANGUAGE_TABLES.items()]
    listed = pd.concat([*parts, read("table29_evaluation_languages").assign(part="29")], ignore_index=True)
    listed["part"] = listed["table"].fillna(listed["part"])
    for attribute in ("iso639_3", "family", "genus", "script"):
        known = listed.dropna(subset=[attribute])
        for language, group in known.groupby("language", sort=False):
            if group["part"].nunique() == 1:
                continue
            counts = group[attribute].value_counts()
            tables = ", ".join(group["part"].unique())
            for row in group.to_dict("records"):
                usual = row[attribute] if counts[row[attribute]] == counts.max() else counts.idxmax()
                what = f"{language}, {attribute}"
                yield text(f"Table {row['part']}", what, row[attribute], usual, f"most frequent in Tables {tables}")
