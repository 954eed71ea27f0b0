"""`xltransfer adapters`: show, convert and average, on folders made here and on the goldens."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from xltransfer.cli.adapters import app, numbers
from xltransfer.engine.adapter import Adapter, AdapterConfig
from xltransfer.engine.checkpoint import Base, write_adapter
from xltransfer.errors import ConfigError, ModelError

BASE = Base("bert", hidden=16, layers=4, name="tiny-bert")


def adapters(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write an adapter with drawn weights and return its folder."""

    def saved(name: str, seed: int, **config: Any) -> Path:
        torch.manual_seed(seed)
        adapter = Adapter(AdapterConfig(**{"reduction": 4, **config}), BASE.hidden, BASE.layers)
        for parameter in adapter.parameters():
            torch.nn.init.normal_(parameter)
        write_adapter(adapter, name, tmp_path / name, BASE)
        return tmp_path / name

    return saved


def test_show_tells_everything_in_lines(save: Callable[..., Path]) -> None:
    folder = save("sw", 1, activation="gelu", leave_out=(1,), invertible_reduction=2)
    # Three bottlenecks of 64 + 4 + 64 + 16, NICE on halves of 8: two nets of 32 + 4 + 32 + 8.
    assert adapters("show", folder).output.splitlines() == [
        "adapter 'sw'",
        "  made for    bert, hidden size 16 (tiny-bert)",
        "  layout      current",
        "  layers      0, 2 to 3 behind the feed-forward",
        "  left out    1",
        "  bottleneck  width 4 (reduction 4)",
        "  activation  gelu (exact)",
        "  options     as Pfeiffer's",
        "  invertible  nice, reduction 2",
        f"  parameters  {3 * 148 + 2 * 76}; {3 * 128 + 2 * 64} without biases",
        "  problems    none found",
    ]


def test_show_of_older_files_says_what_gelu_means(shared: Path) -> None:
    folder = shared / "goldens" / "bert" / "adapters_legacy" / "legacy_lang_gelu"
    lines = adapters("show", folder).output.splitlines()
    assert "  layout      1.x (2020 to 2021)" in lines
    assert "  activation  gelu_new (gelu's tanh approximation)" in lines


def test_show_of_a_fusion_and_of_an_adapter_with_its_head(shared: Path) -> None:
    goldens = shared / "goldens" / "xlmr"
    fusion = adapters("show", goldens / "fusions" / "l1-l2-l3_random").output.splitlines()
    assert {"fusion 'l1,l2,l3'", "  members     l1, l2, l3", "  options     as fusion 'dynamic'"} <= set(fusion)
    both = adapters("show", goldens / "adapters_with_head" / "t1").output
    assert both.startswith("adapter 't1'\n")
    assert "\n\nhead 't1'\n" in both
    assert "  type        tagging\n" in both


def test_show_names_problems_and_options(shared: Path, save: Callable[..., Path]) -> None:
    houlsby = adapters("show", shared / "goldens" / "bert" / "adapters" / "hou").output
    assert "  options     mh_adapter=True, original_ln_before=False\n" in houlsby
    assert "  layers      0 to 2 behind the feed-forward; 0 to 2 behind the attention\n" in houlsby
    folder = save("sw", 1)
    content = json.loads((folder / "adapter_config.json").read_text())
    content["config"]["use_gating"] = True
    (folder / "adapter_config.json").write_text(json.dumps(content))
    assert "use_gating=True is not supported, only False" in adapters("show", folder).output


def test_show_for_machines(save: Callable[..., Path]) -> None:
    (about,) = json.loads(adapters("show", save("sw", 1), "--json").output)
    assert (about["kind"], about["name"], about["layers"], about["problems"]) == (
        "adapter",
        "sw",
        {"output": [0, 1, 2, 3]},
        [],
    )


def test_convert_writes_the_other_format_under_another_name(save: Callable[..., Path], tmp_path: Path) -> None:
    folder, out = save("sw", 1), tmp_path / "new" / "swahili"
    result = adapters("convert", folder, out, "--format", "bin", "--name", "swahili")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == ["adapter 'swahili': 16 tensors, from layout current", str(out)]
    before = load_file(folder / "adapter.safetensors")
    after = torch.load(out / "pytorch_adapter.bin", weights_only=True)
    assert {key.replace(".sw.", ".swahili."): value.sum() for key, value in before.items()} == {
        key: value.sum() for key, value in after.items()
    }
    with pytest.raises(ConfigError, match="folder 'swahili' exists and is not empty"):
        raise adapters("convert", folder, out).exception or AssertionError


def test_average_writes_the_weighted_mean(save: Callable[..., Path], tmp_path: Path) -> None:
    folders = [save(name, seed) for seed, name in enumerate(("nl", "de"))]
    result = adapters("average", *folders, "--out", tmp_path / "mean", "--weights", "0.7,0.3", "--name", "both")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "adapter 'both': mean of 2 adapters, 16 tensors",
        str(tmp_path / "mean"),
    ]
    one, two, mean = (load_file(folder / "adapter.safetensors") for folder in (*folders, tmp_path / "mean"))
    key = "bert.encoder.layer.3.output.adapters.{}.adapter_up.weight"
    torch.testing.assert_close(mean[key.format("both")], 0.7 * one[key.format("nl")] + 0.3 * two[key.format("de")])


def test_average_refuses_what_does_not_fit(save: Callable[..., Path], tmp_path: Path) -> None:
    folders = [save("nl", 1), save("de", 2, reduction=8)]
    with pytest.raises(ModelError, match=r"these differ in reduction \(nl: 4, de: 8\)"):
        raise adapters("average", *folders, "--out", tmp_path / "mean").exception or AssertionError
    with pytest.raises(ConfigError, match="--weights 0.5;0.5: expected numbers separated by commas"):
        raise (
            adapters("average", *folders, "--out", tmp_path / "mean", "--weights", "0.5;0.5").exception
            or AssertionError
        )
    assert not (tmp_path / "mean").exists()


def test_numbers_of_a_list() -> None:
    assert numbers("0.5, .25,0.25") == [0.5, 0.25, 0.25]


@pytest.mark.parametrize("command", ["show", "convert", "average"])
def test_help_gives_an_example(command: str) -> None:
    result = adapters(command, "--help")
    assert result.exit_code == 0, result.output
    assert f"Example: xltransfer adapters {command}" in " ".join(result.output.split())


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from xltransfer.cli.adapters import app\n"
        "try:\n    app(['show', '--help'])\nexcept SystemExit:\n    pass\n"
        "print('HEAVY', sorted({'torch', 'transformers', 'numpy', 'pandas', 'safetensors'} & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines()[-1] == "HEAVY []", ran.stderr
