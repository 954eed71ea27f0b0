"""``xltransfer benchmark``: how fast this machine is at a study, and what its number formats do to the scores."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from xltransfer.config.resolve import ResolvedStudy
    from xltransfer.protocols.transfer.context import Context

DECIMALS = {
    "max_difference": 5,
    "median_difference": 5,
    "max_ts": 4,
    "median_ts": 4,
    "run_steps": 0,
    "run_median_ts": 4,
}


def benchmark(
    folder: Annotated[Path, typer.Argument(help="Results folder with trained task adapters.")],
    study: Annotated[
        str | None, typer.Option(help="Study file or name of the run. Default: the study that FOLDER remembers.")
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the data, in place of the study's own.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only this task; may be given again. Default: all.")] = None,
    targets: Annotated[
        int | None, typer.Option(help="Targets of each task, spread over its list. Default: all.", min=1)
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="Seconds for which each work is timed at each precision.", min=0.01)
    ] = 2.0,
    out: Annotated[Path | None, typer.Option(help="File for all of it as JSON, unrounded; its folder is made.")] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Folder for the frames as CSV, unrounded and whole; made if absent.")
    ] = None,
) -> None:
    """Print how fast this machine scores and nudges the model of the run in FOLDER, and the noise of each precision.

    The untouched model with the first adapter of each task scores every target in float32, in TF32 (CUDA), under
    bfloat16 autocast, and in float64, which is taken for the truth. Differences are in the metric's unit (points, or
    nats) and in percent of the score, the unit of ts. Beside them stands the run's own median of absolute ts: a
    precision whose noise comes near it hides effects.

    Example: xltransfer benchmark runs/mine --study mine.yaml --targets 5 --out speed.json
    """
    from xltransfer.cli.report import delayed_progress
    from xltransfer.cli.tables import write_csv
    from xltransfer.errors import ConfigError
    from xltransfer.protocols.benchmark import chosen_scorers, noise_summary, precision_noise
    from xltransfer.protocols.speed import speeds
    from xltransfer.protocols.transfer.predictions import open_context

    if out is not None and out.suffix != ".json":
        raise ConfigError(f"--out {out} does not end in .json; for tables give a folder with --csv")
    context = open_context(_study(folder, study, data_root), folder)
    chosen = chosen_scorers(context, task, targets)
    with delayed_progress() as on_step:
        noise = precision_noise(context, chosen, lambda name, share: on_step(name, 0.5 * share))
        fast = speeds(context, chosen, seconds, lambda name, share: on_step(name, 0.5 + 0.5 * share))
    frames = {"speed": fast, "noise": noise, "noise_summary": noise_summary(noise, _transfer(folder))}
    about = machine(context)
    _show(about, frames)
    if csv is not None:
        write_csv(frames, csv)
    if out is not None:
        _write_json(about, frames, out)


def _study(folder: Path, name: str | None, data_root: Path | None) -> "ResolvedStudy":
    """Return the study of a run: the one that is named, or the one that the folder remembers."""
    from pydantic import ValidationError

    from xltransfer.config.load import load_study
    from xltransfer.config.resolve import resolve
    from xltransfer.config.study import Study
    from xltransfer.errors import ConfigError
    from xltransfer.runs.folder import read_header

    header = read_header(folder)
    if name is not None:
        return load_study(name, data_root)
    try:
        remembered = Study.model_validate(header.study)
    except ValidationError as err:
        raise ConfigError(f"{folder} remembers a study of another version; name its file with --study") from err
    if data_root is None and not Path(remembered.data_root).is_absolute():
        raise ConfigError(
            f"{folder} remembers a study whose data_root {remembered.data_root!r} is relative to the study file; "
            "name that file with --study, or the folder of the data with --data-root"
        )
    return resolve(remembered, Path.cwd(), data_root)


def _transfer(folder: Path) -> "pd.DataFrame | None":
    """Return the run's transfer scores, or None where nothing has been nudged yet."""
    from xltransfer.analysis import transfer_scores
    from xltransfer.runs.open import open_run

    rows = open_run(folder).measurements(labels=False)
    return transfer_scores(rows) if {"nudge", "baseline"} <= set(rows["setting"]) else None


def machine(context: "Context") -> dict[str, Any]:
    """Return device, threads and versions."""
    from importlib.metadata import version

    import torch

    from xltransfer import __version__

    cuda = context.device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(context.device) if cuda else _processor(),
        "kind": context.device.type,
        "threads": torch.get_num_threads(),
        "xltransfer": __version__,
        **{name: version(name) for name in ("torch", "transformers")},
    }


def _processor() -> str:
    """Return the processor's name as Linux has it, elsewhere what Python knows of it."""
    import platform

    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.is_file() else []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


def _show(about: dict[str, Any], frames: "dict[str, pd.DataFrame]") -> None:
    from xltransfer.cli.tables import show

    print(", ".join(f"{name} {value}" for name, value in about.items()))
    show(frames["speed"], "speed: real tokens a second; bound: matrix products of the base model alone", digits=0,
         places={"of_bound": 2})  # fmt: skip
    noise = frames["noise_summary"]
    show(noise, "noise: absolute differences from float64 (points or nats; ts: percent); run: median |ts| at its "
         "smallest k", places=DECIMALS)  # fmt: skip


def _write_json(about: dict[str, Any], frames: "dict[str, pd.DataFrame]", out: Path) -> None:
    rows = {name: json.loads(frame.to_json(orient="records", double_precision=15)) for name, frame in frames.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"machine": about, **rows}, indent=1) + "\n", encoding="utf-8")
    print(out)
