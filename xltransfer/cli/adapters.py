"""``xltransfer adapters``: what a folder of AdapterHub's format holds; older layouts rewritten; adapters averaged."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from xltransfer.cli.adapters_train import train

Weights = Literal["safetensors", "bin"]

app = typer.Typer(
    no_args_is_help=True, help="Train language adapters; look into adapter folders, rewrite older layouts, average."
)
app.command()(train)
PLACES = {"output": "behind the feed-forward", "attention": "behind the attention"}
LAYOUTS = {
    "current": "current",
    "2.x": "2.x (to 2022)",
    "1.x": "1.x (2020 to 2021)",
    "1.x or 2.x": "1.x or 2.x (to 2022)",
}
ACTIVATIONS = {"gelu": "gelu (exact)", "gelu_new": "gelu_new (gelu's tanh approximation)"}


@app.command()
def show(
    folder: Annotated[str, typer.Argument(help="Folder, hub id owner/name, or owner/name/folder inside a repository.")],
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub repository.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Print what FOLDER holds: adapter, fusion or head, for which model, where, how large, and what is wrong with it.

    No base model is needed. Options are those that differ from Pfeiffer's adapter. "gelu" is said as it is understood:
    in a file without a version it is the tanh approximation.

    Example: xltransfer adapters show AdapterHub/xlm-roberta-base-en-wiki_pfeiffer
    """
    import json as to_json

    from xltransfer.engine.checkpoint import describe

    parts = describe(folder, revision)
    if json:
        print(to_json.dumps(parts, indent=2, sort_keys=True))
        return
    print("\n\n".join("\n".join(_lines(part)) for part in parts))


@app.command()
def convert(
    folder: Annotated[str, typer.Argument(help="Folder, hub id owner/name, or owner/name/folder inside a repository.")],
    out: Annotated[Path, typer.Argument(help="New folder; must be empty or absent.")],
    format: Annotated[
        Weights, typer.Option(help="Of the weights; the reference library reads bin unless told otherwise.")
    ] = "safetensors",
    name: Annotated[str | None, typer.Option(help="New name of the adapter, fusion or head. Default: its own.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub repository.")] = None,
) -> None:
    """Write what FOLDER holds into the folder OUT: current layout, weights unchanged, perhaps under a new name.

    Files of any generation are read: 2020 names of keys, nested options, "gelu" that means its tanh form.

    Example: xltransfer adapters convert old/sw new/sw --format bin --name swahili
    """
    from xltransfer.engine.checkpoint import convert as convert_folder

    for part in convert_folder(folder, out, format, name, revision):
        print(f"{part.kind.name} {part.name!r}: {len(part.tensors)} tensors, from layout {LAYOUTS[part.generation]}")
    print(out)


@app.command()
def average(
    folders: Annotated[list[str], typer.Argument(help="Two or more adapters: folders or hub ids.")],
    out: Annotated[Path, typer.Option(help="New folder; must be empty or absent.")],
    weights: Annotated[
        str | None, typer.Option(help="One number for each adapter, together 1: 0.5,0.3,0.2. Default: equal.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the mean. Default: the names joined by +.")] = None,
    format: Annotated[
        Weights, typer.Option(help="Of the weights; the reference library reads bin unless told otherwise.")
    ] = "safetensors",
) -> None:
    """Write the mean of the adapters FOLDERS, weight by weight, into --out.

    They must be of one configuration and for one model; what differs is named. Heads beside them are not looked at.

    Example: xltransfer adapters average nl de --out dutch-german --weights 0.7,0.3
    """
    from xltransfer.engine.checkpoint import average as average_folders
    from xltransfer.engine.checkpoint import place

    mean = average_folders(folders, None if weights is None else numbers(weights), name)
    place([mean], out, format)
    print(f"adapter {mean.name!r}: mean of {len(folders)} adapters, {len(mean.tensors)} tensors")
    print(out)


def numbers(text: str) -> list[float]:
    """Return the numbers of a list separated by commas; raises `ConfigError` for anything else."""
    from xltransfer.errors import ConfigError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"--weights {text}: expected numbers separated by commas, such as 0.5,0.5") from error


def _lines(part: Mapping[str, Any]) -> list[str]:
    """Return the description of one part, a fact a line."""
    model = f" ({part['model_name']})" if part["model_name"] else ""
    facts = {
        "made for": f"{part['model_type']}, hidden size {part['hidden_size']}{model}",
        "layout": LAYOUTS[part["layout"]],
    }
    if part["kind"] == "adapter":
        facts |= _adapter_facts(part)
    elif part["kind"] == "fusion":
        facts |= {"members": ", ".join(part["members"]), "layers": _places(part["layers"])}
        facts |= {"options": _options(part["options"]) or "as fusion 'dynamic'"}
    else:
        facts |= {"type": str(part["head_type"]), "options": _options(part["options"])}
    facts["parameters"] = f"{part['parameters']:,}; {part['parameters_without_biases']:,} without biases"
    facts["problems"] = "; ".join(part["problems"]) or "none found"
    return [f"{part['kind']} {part['name']!r}", *(f"  {fact:<12}{text}" for fact, text in facts.items())]


def _adapter_facts(part: Mapping[str, Any]) -> dict[str, str]:
    activation = str(part["activation"])
    return {
        "layers": _places(part["layers"]),
        "left out": _ranges(part["leave_out"]) or "none",
        "bottleneck": f"width {', '.join(map(str, part['bottleneck'])) or 'unknown'} (reduction {part['reduction']})",
        "activation": ACTIVATIONS.get(activation, activation),
        "options": _options(part["options"]) or "as Pfeiffer's",
        "invertible": part["invertible"] or "none",
    }


def _places(layers: Mapping[str, Sequence[int]]) -> str:
    return "; ".join(f"{_ranges(numbers)} {PLACES[place]}" for place, numbers in layers.items()) or "none"


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in sorted(options.items()))


def _ranges(layers: Sequence[int]) -> str:
    """Return sorted numbers with neighbours drawn together: 0 to 3, 7."""
    runs: list[list[int]] = []
    for layer in layers:
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
