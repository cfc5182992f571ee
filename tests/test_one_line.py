"""A part is one file and one line: then it can be typed, stored, built, listed, and has laws."""

import json
from pathlib import Path
from typing import Annotated, Any

import making
import pytest
import running
import torch
from jaxtyping import Float, Int64
from laws import conditionings, encoders, extractors, generators, heads, normalizations
from laws.cases import Case
from laws.low_rank import LowRank
from torch import Tensor, nn

import fewshot_film as ff
from fewshot_film.base.values import Above, AtLeast
from fewshot_film.config.catalog import ENTRIES, Entry
from fewshot_film.config.config import FAMILIES
from fewshot_film.data.source import SPLITS, DataSource
from fewshot_film.parts.conditioning import SiteParams, TaskParams
from fewshot_film.parts.extractor import Site
from fewshot_film.parts.extractor.base import ConditioningFactory, NormalizationFactory, Visit
from fewshot_film.parts.head import HeadParams
from fewshot_film.parts.normalization import BatchNorm

# --- what somebody would put into a file each


class Clipped(ff.Normalization):
    """h -> h within +-bound."""

    def __init__(self, channels: int, *, bound: Annotated[float, Above(0)] = 3.0) -> None:
        super().__init__()
        del channels
        self.bound = bound

    def forward(
        self, h: Float[Tensor, "task example channel *space"], kept: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        del kept
        return h.clamp(-self.bound, self.bound)


class Brightness(ff.TaskEncoder):
    """z = mean over classes of the mean brightness of each part of an image."""

    def __init__(self, size: int, *, parts: Annotated[int, AtLeast(1)] = 4) -> None:
        super().__init__()
        del size
        self.embedding_dim = parts

    def embed(
        self, images: Float[Tensor, "task example channel height width"], features: nn.Module
    ) -> Float[Tensor, "task example embedding"]:
        del features
        means = [
            part.mean(dim=(2, 3, 4)) for part in images.tensor_split(self.embedding_dim, dim=3)
        ]
        return torch.stack(means, dim=2)

    def summarise(
        self,
        embedded: Float[Tensor, "task example embedding"],
        labels: Int64[Tensor, "task example"],
        way: int,
    ) -> Float[Tensor, "task embedding"]:
        return ff.head.class_means(embedded, labels, way).mean(1)


class Linear(ff.Generator):
    """z -> identity + multiplier * gain * W z, for every parameter of every site."""

    def __init__(self, embedding_dim: int, identity: TaskParams, *, gain: float = 1.0) -> None:
        super().__init__()
        self.gain, self.neutral = gain, identity
        sizes = {f"{s}-{n}": v.numel() for s, p in identity.items() for n, v in p.items()}
        self.maps = nn.ModuleDict({k: nn.Linear(embedding_dim, size) for k, size in sizes.items()})
        self.multiplier = nn.Parameter(torch.zeros(()))

    def forward(self, z: Float[Tensor, "task embedding"]) -> TaskParams:
        scale = self.multiplier * self.gain
        return {
            site: {
                name: value.to(scale) + scale * self.mapped(f"{site}-{name}", z, value)
                for name, value in params.items()
            }
            for site, params in self.neutral.items()
        }

    def mapped(self, name: str, z: Tensor, like: Tensor) -> Tensor:
        found: Tensor = self.maps[name](z.to(self.multiplier.dtype))
        return found.to(self.multiplier.dtype).view(-1, *like.shape)  # autocast leaves bfloat16

    def multipliers(self) -> list[nn.Parameter]:
        return [self.multiplier]


class OneConv(ff.Extractor):
    """images -> one convolution, a site, and the mean of every channel."""

    def __init__(
        self,
        conditioning: ConditioningFactory,
        normalization: NormalizationFactory = BatchNorm,
        channels: int = 1,
        *,
        width: Annotated[int, AtLeast(1)] = 8,
    ) -> None:
        super().__init__(channels=channels)
        self.conv = nn.Conv2d(channels, width, 5, stride=2)
        self.site = Site(width, conditioning, normalization)

    def sites(self) -> dict[str, Site]:
        return {"conv": self.site}

    def embed(
        self, images: Float[Tensor, "image channel height width"], at: Visit
    ) -> Float[Tensor, "image feature"]:
        return at("conv", self.site, self.conv(images)).relu().mean((2, 3))


class Fixed(ff.Adapter):
    """support -> gamma = `by` at every site."""

    def __init__(self, *, by: float = 1.0) -> None:
        super().__init__()
        self.by = by

    def forward(self, support: ff.LabeledSet, way: int, extractor: ff.Extractor) -> TaskParams:
        del way
        tasks = len(support.images)
        neutral = extractor.identity().items()
        return {
            site: {n: (v * self.by).expand(tasks, *v.shape) for n, v in params.items()}
            for site, params in neutral
        }


class MeanDistance(ff.Head):
    """-gain * the mean of the squared distances to all examples of a class."""

    def __init__(self, *, gain: Annotated[float, Above(0)] = 1.0) -> None:
        super().__init__()
        self.gain = gain

    def estimate(
        self,
        features: Float[Tensor, "task example feature"],
        labels: Int64[Tensor, "task example"],
        way: int,
    ) -> HeadParams:
        share = nn.functional.one_hot(labels, way).to(features.dtype)
        return {"examples": features, "share": share / share.sum(1, keepdim=True)}

    def score(
        self, queries: Float[Tensor, "task query feature"], fitted: HeadParams
    ) -> Float[Tensor, "task query way"]:
        apart = queries.unsqueeze(2) - fitted["examples"].unsqueeze(1)
        return -self.gain * apart.square().sum(3) @ fitted["share"]


def load(root: Path, split: str) -> ff.ImageSet:
    del root
    return making.image_set([8] * 6, size=28, seed=SPLITS.index(split))


SOURCE = DataSource(
    name="noise",
    summary="noise",
    licence="none needed",
    channels=1,
    size=28,
    classes=dict.fromkeys(SPLITS, 6),
    images=dict.fromkeys(SPLITS, 48),
    obtain="made",
    load=lambda root, split: renamed(load(root, split), split),
    present=lambda _: True,
)


def renamed(data: ff.ImageSet, split: str) -> ff.ImageSet:
    names = tuple(f"{split} {name}" for name in data.names)
    return ff.ImageSet(data.images, data.labels, names, data.domains, data.domain_names)


LINES: dict[str, tuple[str, Any, str]] = {
    "conditioning": ("low-rank", LowRank, "rank=2"),
    "normalization": ("clipped", Clipped, "bound=2.0"),
    "encoder": ("brightness", Brightness, "parts=3"),
    "generator": ("linear", Linear, "gain=2.0"),
    "extractor": ("one-conv", OneConv, "width=6"),
    "head": ("mean-distance", MeanDistance, "gain=2.0"),
}
"""family -> the name and the part of its line, and an option."""


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The one line each; family -> the choice with its option."""
    for family, (name, part, _) in LINES.items():
        monkeypatch.setitem(FAMILIES[family].parts, name, part)
    monkeypatch.setitem(FAMILIES["adapter"].parts, "fixed", Fixed)
    monkeypatch.setitem(ENTRIES, "noise", Entry(SOURCE, "noise"))
    return {family: f"{name}:{option}" for family, (name, _, option) in LINES.items()}


def test_on_the_command_line_and_stored(
    lines: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained, stored, evaluated, compared under an adapter of one's own, and listed."""
    out = tmp_path / "run"
    assert running.train(out, **(lines | {"dataset": "noise"})) == 0
    stored = json.loads((out / "config.json").read_text())
    assert {family: stored[family] for family in lines} == lines
    assert ff.Run(out).config().conditioning == "low-rank:rank=2"
    assert running.command("evaluate", f"{out}@fixed:by=0.5", "--episodes", 3) == 0
    assert running.command("compare", out, f"{out}@fixed", f"{out}@none", "--episodes", 3) == 0
    capsys.readouterr()
    assert running.command("parts") == 0
    listed = capsys.readouterr().out
    for name in ("low-rank:rank=1", "clipped:bound=3.0", "linear:gain=1.0", "fixed:by=1.0"):
        assert name in listed
    assert running.command("datasets") == 0
    assert "noise" in capsys.readouterr().out


def test_a_wrong_option_is_told(lines: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    del lines
    message = running.refused(capsys, 2, "train", "--conditioning", "low-rank:ranc=2")
    assert "did you mean 'rank'" in message
    message = running.refused(capsys, 2, "train", "--conditioning", "low-rank:rank=0")
    assert "--conditioning low-rank:rank is 0; it must be at least 1" in message


def test_in_python(lines: dict[str, str]) -> None:
    model = ff.build(ff.Config(dataset="noise", **lines))  # type: ignore[arg-type]
    images, labels = torch.rand(6, 1, 28, 28), list("aabbcc")
    assert len(model.adapt(images, labels).classify(images)) == 6
    assert type(model.features.extractor).__name__ == "OneConv"


LAWS = {
    "conditioning": conditionings.LAWS,
    "normalization": normalizations.LAWS,
    "encoder": encoders.LAWS,
    "generator": generators.LAWS,
    "extractor": extractors.LAWS,
    "head": heads.LAWS,
}


@pytest.mark.parametrize("family", LAWS)
def test_in_the_laws(lines: dict[str, str], family: str) -> None:
    """Every law of the family holds for it, with its option."""
    case = Case(**{family: lines[family]})
    for law in LAWS[family].found:
        if not law.gpu:
            law(case)


def test_the_example_of_contributing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What CONTRIBUTING prints is a part, keeps the laws of its family, and its option counts."""
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    names: dict[str, Any] = {}
    exec(text.split("```python")[1].split("```")[0], names)
    monkeypatch.setitem(FAMILIES["conditioning"].parts, "my-name", names["MyName"])
    for law in conditionings.LAWS.found:
        if not law.gpu:
            law(Case(conditioning="my-name:strength=2"))
    weak, strong = (names["MyName"](3, strength=s) for s in (1.0, 2.0))
    h, a = torch.rand(2, 4, 3), torch.rand(2, 3)
    torch.testing.assert_close(strong(h, {"a": a}), weak(h, {"a": 2 * a}))
