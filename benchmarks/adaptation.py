"""Adaptive batch norm against one forward pass: `python benchmarks/adaptation.py`.

Adapting in one pass is a forward pass over the target's images that also takes each batch norm's
moments. Both take turns in one process on the same images, so that a noisy machine slows them
alike; medians and minima are given as ratios.
Writes results/benchmarks/adaptation-<device>.json and .md.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
import tyro
from step import Options, Timed, interleaved

import fewshot_film as ff
from fewshot_film.base.device import choose_device
from fewshot_film.base.files import write_atomic
from fewshot_film.base.memory import keep_freed_memory
from fewshot_film.base.modes import evaluating
from fewshot_film.base.provenance import environment
from fewshot_film.parts.statistics.estimators import one_pass
from fewshot_film.report.tables import table

CASES: Mapping[str, tuple[int, int, int]] = {
    "28x28, 4 batches of 256": (1, 28, 256),
    "32x32, 4 batches of 256": (3, 32, 256),
    "84x84, 4 batches of 32": (3, 84, 32),
}
"""name -> channels, size and number of the images of a batch."""
BATCHES, SEED = 4, 0


def main(options: Options) -> None:
    keep_freed_memory()
    device = choose_device(options.device)
    torch.manual_seed(SEED)
    steps: dict[str, Timed] = {}
    for name, (channels, size, count) in CASES.items():
        network = ff.Conv4(ff.FiLM, channels=channels).to(device).eval()
        batches = torch.rand(BATCHES, 1, count, channels, size, size, device=device).unbind()
        steps[f"forward {name}"] = partial(forward, network, batches)
        steps[f"adapt {name}"] = partial(one_pass, network, batches)
    seconds = interleaved(steps, options.repeats, device)
    rows = [row(name, seconds) for name in CASES]
    content = {
        "rows": rows,
        "repeats": options.repeats,
        "seed": SEED,
        "environment": environment(device),
    }
    options.results.mkdir(parents=True, exist_ok=True)
    file = options.results / f"adaptation-{device.type}.json"
    write_atomic(file, (json.dumps(content, indent=1) + "\n").encode())
    write_atomic(file.with_suffix(".md"), (show(rows) + "\n").encode())
    print(show(rows))


def forward(network: ff.Extractor, batches: Sequence[torch.Tensor]) -> None:
    with evaluating(network):
        for images in batches:
            network(images)


def row(name: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Adapting beside a forward pass."""
    adapt, bare = seconds[f"adapt {name}"], seconds[f"forward {name}"]
    return {
        "case": name,
        "ratio_of_medians": statistics.median(adapt) / statistics.median(bare),
        "ratio_of_minima": min(adapt) / min(bare),
        "median_ms": 1000 * statistics.median(adapt),
        "forward_median_ms": 1000 * statistics.median(bare),
    }


def show(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    cells = [["Conv-4, 64 channels", "of medians", "of minima", "median ms", "forward ms"]]
    for r in rows:
        ratios = [f"{r[key]:.2f}" for key in ("ratio_of_medians", "ratio_of_minima")]
        times = [f"{r[key]:.1f}" for key in ("median_ms", "forward_median_ms")]
        cells.append([r["case"], *ratios, *times])
    return table(cells)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
