"""A study with codes in the place of all other names of languages."""

from xltransfer.config.interaction import canonical_pairs
from xltransfer.config.study import Study
from xltransfer.languages import LanguageTable


def canonical(study: Study, table: LanguageTable) -> Study:
    """Return ``study`` with every known alias replaced by its code, so that codes compare by equality."""
    data = study.model_dump()
    for entry in (entry for source in data["datasets"] if isinstance(source, dict) for entry in source["entries"]):
        entry["language"] = _code(entry["language"], table)
    selections = [*data["transfer"]["corpora"], *(s for t in data["tasks"] for s in (*t["train"], *t["targets"]))]
    selections += [selection for each in data["alignment"]["compared"] for selection in each["data"]]
    for each in data["alignment"]["compared"]:
        if each["sources"] is not None:
            each["sources"] = tuple(dict.fromkeys(_code(name, table) for name in each["sources"]))
    controls = [control for control in data["controls"].values() if control is not None and "languages" in control]
    for part in (*selections, *data["cells"], *controls):
        if part["languages"] is not None:
            part["languages"] = tuple(dict.fromkeys(_code(name, table) for name in part["languages"]))
    listed = {name for pair in study.interaction.listed for name in pair}
    data["interaction"]["pairs"] = canonical_pairs(study.interaction.pairs, {n: _code(n, table) for n in listed})
    if data["base"]["seen"] is not None:
        data["base"]["seen"] = tuple(dict.fromkeys(_code(name, table) for name in data["base"]["seen"]))
    return Study.model_validate(data, context={"names_only": True})


def _code(name: str, table: LanguageTable) -> str:
    return table.get(name).code if name in table else name
