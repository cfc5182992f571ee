import copy
import pickle
from dataclasses import replace
from typing import Any, final

import making
import pytest
import torch
from necks import necked, passes
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation import (
    ADAPTERS,
    Adapter,
    ConstantAdapter,
    FrozenAdapter,
    LearnedAdapter,
    NoAdaptation,
    SafeAdapter,
)
from fewshot_film.parts.adaptation.safe import likeness
from fewshot_film.parts.conditioning import FiLM, TaskParams
from fewshot_film.parts.extractor import Extractor, Site
from fewshot_film.parts.extractor.base import Visit
from fewshot_film.parts.head import PrototypeHead
from fewshot_film.tasks.episode import LabeledSet

WAY, EACH = 2, 4


@final
class Channels(Extractor):
    """images -> their channels, which a site weighs."""

    def __init__(self) -> None:
        super().__init__()
        self.site = Site(2, FiLM)

    def sites(self) -> dict[str, Site]:
        return {"site": self.site}

    def embed(self, images: Tensor, at: Visit) -> Tensor:
        return at("site", self.site, images).flatten(1)


@final
class Weighing(Adapter):
    """The same weights of the channels for every task, or some for each."""

    def __init__(self, *gammas: tuple[float, float]) -> None:
        super().__init__()
        self.gammas = torch.tensor(gammas)

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams:
        del way, extractor
        gamma = self.gammas.expand(len(support.images), 2)
        return {"site": {"gamma": gamma, "beta": torch.zeros_like(gamma)}}


NET = Channels().eval()
FIRST, SECOND = (1.0, 0.0), (0.0, 1.0)


def tasks(*noises: float, each: int = EACH) -> LabeledSet:
    """The first channel is the class, the second noise of a task's own size that misleads."""
    labels = torch.arange(WAY).repeat(each)
    sign = torch.arange(each).remainder(2).repeat_interleave(WAY) * 2.0 - 1
    noise = torch.tensor(noises)[:, None] * sign * (1 + 0.01 * torch.arange(WAY * each))
    pixels = torch.stack([labels.expand(len(noises), -1).float(), noise], dim=2)
    return LabeledSet(pixels[..., None, None], labels.expand(len(noises), -1))


def chosen(adapter: SafeAdapter, support: LabeledSet) -> list[list[float]]:
    """The weights that every task takes."""
    found: list[list[float]] = adapter.eval()(support, WAY, NET)["site"]["gamma"].tolist()
    return found


PLAIN = [1.0, 1.0]


def safe(*gammas: tuple[float, float], **options: Any) -> SafeAdapter:
    return SafeAdapter(Weighing(*gammas), PrototypeHead(), **options)


def test_a_task_takes_what_tells_its_support_set_better() -> None:
    """Adapted is better where noise drowns the class, worse where it is sabotaged; else equal."""
    support = tasks(9.0, 0.01, 9.0, 0.01)
    adapter = safe(FIRST, SECOND, SECOND, FIRST)
    assert chosen(adapter, support) == [[1, 0], PLAIN, [0, 1], [1, 0]]


def test_it_decides_for_each_task_alone() -> None:
    support = tasks(9.0, 0.01)
    for task, expected in ((slice(0, 1), [0.0, 1.0]), (slice(1, 2), PLAIN)):
        assert chosen(safe(SECOND), making.chosen(support, task)) == [expected]


def test_a_margin_is_how_much_worse_adapted_may_be() -> None:
    support = tasks(0.01)
    adapter = safe(SECOND)
    params = [
        {"site": {"gamma": torch.tensor([g]), "beta": torch.zeros(1, 2)}}
        for g in (SECOND, (1.0, 1.0))
    ]
    features = (NET(support.images, p) for p in params)
    own, plain = (adapter.left_out.accuracies(f, support.labels, WAY) for f in features)
    assert plain == 1
    loss = float(plain - own)
    assert loss > 0.1
    assert chosen(safe(SECOND, margin=loss + 0.01), support) == [[0, 1]]
    assert chosen(safe(SECOND, margin=loss - 0.01), support) == [PLAIN]
    assert chosen(safe(FIRST), support) == [[1, 0]], "a tie is the adapted ones'"
    assert chosen(safe(FIRST, margin=-0.01), support) == [PLAIN]


@pytest.mark.parametrize(("margin", "takes"), [(0.0, [0.0, 1.0]), (-0.01, PLAIN)])
def test_at_one_shot_nothing_is_told_better(margin: float, takes: list[float]) -> None:
    assert chosen(safe(SECOND, margin=margin), tasks(0.01, 9.0, each=1)) == [takes, takes]
    support = tasks(0.01, 0.01)
    lone = support.labels.clone()
    lone[0] = torch.tensor([1] + [0] * (WAY * EACH - 1))
    mixed = replace(support, labels=lone)
    assert chosen(safe(SECOND, margin=margin), mixed) == [takes, PLAIN]


def test_likeness_by_hand() -> None:
    """Means (1, 0), (0, 2) and (3, 3): cosines 0, 1 / sqrt 2 and 1 / sqrt 2."""
    features = torch.tensor([[[2.0, 0.0], [0.0, 0.0], [0.0, 2.0], [3.0, 3.0]]])
    labels = torch.tensor([[0, 0, 1, 2]])
    torch.testing.assert_close(likeness(features, labels, 3), torch.tensor([2**0.5 / 3]))


def test_pulling_classes_apart_speaks_for_the_adapted() -> None:
    """Unless the support set speaks against them: classes at 0 and 1, and another channel of 2."""
    pixels = torch.tensor([[[1.0, 2.0], [-1.0, 2.0]]])
    support = LabeledSet(pixels[..., None, None], torch.tensor([[0, 1]]))
    fall = 3 / 5 + 1  # cosines of (1, 2) and (-1, 2), and of what is left of them
    for apart, takes in ((fall - 0.01, [1, 0]), (fall + 0.01, PLAIN)):
        assert chosen(safe(FIRST, margin=-0.01, apart=apart), support) == [takes]
    assert chosen(safe(FIRST, margin=-0.01), support) == [PLAIN]
    misled = tasks(0.01)
    assert chosen(safe(SECOND, margin=-0.01, apart=0.0), misled) == [PLAIN]


# --- as a part


def parts(**given: Any) -> SafeAdapter:
    made = ADAPTERS.read("safe:margin=0.1,apart=0.5")(**given)
    assert isinstance(made, SafeAdapter)
    return made


def test_in_training_it_is_the_learned_adapter() -> None:
    model, support = making.classifier(adapter="safe"), making.labeled(3, 3, 2)
    net, adapter = model.features.extractor, model.features.adapter
    learned = making.classifier().train().features.adapter
    assert isinstance(adapter.trained, LearnedAdapter)
    model.train()
    params, expected = adapter(support, 3, net), learned(support, 3, net)
    for site, values in expected.items():
        assert all(torch.equal(params[site][n], value) for n, value in values.items())
    params["block1"]["gamma"].sum().backward()
    assert any(p.grad is not None for p in adapter.parameters())


def test_its_weights_are_those_of_the_learned_adapter() -> None:
    """By their names, too, so that either can be loaded as the other."""
    model, other = making.classifier(), making.classifier(adapter="safe", seed=1)
    state = model.state_dict()
    assert other.state_dict().keys() == state.keys()
    other.load_state_dict(state)
    assert all(torch.equal(value, state[key]) for key, value in other.state_dict().items())
    held = other.features.adapter.trained.state_dict()
    assert all(torch.equal(v, held[k]) for k, v in model.features.adapter.state_dict().items())
    model.load_state_dict(other.state_dict())
    del state["features.adapter.generator.multiplier"]
    with pytest.raises(RuntimeError, match=r"Missing key.*generator\.multiplier"):
        other.load_state_dict(state)
    with pytest.raises(RuntimeError, match=r"Unexpected key.*adapter\.more"):
        other.load_state_dict(model.state_dict() | {"features.adapter.more": torch.zeros(1)})


def test_prototypes_tell_whatever_the_head_is() -> None:
    """They are no weight of the classifier, and copied and stored with it."""
    model = making.classifier(adapter="safe", head="ridge")
    for made in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        adapter = made.features.adapter
        assert isinstance(adapter, SafeAdapter)
        assert isinstance(adapter.left_out.head, PrototypeHead)
        assert not any(m is adapter.left_out.head for m in made.modules())


def test_it_holds_what_a_run_has_learned() -> None:
    net = making.extractor()
    learned = making.classifier().features.adapter
    for own in (learned, ConstantAdapter(net.identity())):
        made = parts(own=own)
        assert made.trained is own
        assert (made.margin, made.apart) == (0.1, 0.5)
        assert parts(own=made).trained is own
    for own in (NoAdaptation(), FrozenAdapter()):
        with pytest.raises(UsageError, match=f"and {type(own).__name__} learned nothing; name a"):
            parts(own=own)


# --- networks that others trained


def test_plain_is_the_published_network() -> None:
    net, support = necked("all"), making.labeled(2, 3, 2)
    adapter = SafeAdapter(ConstantAdapter(net.identity()), PrototypeHead(), margin=-1.0).eval()
    params = adapter(support, 3, net)
    images = making.pictures(2, 4, seed=5)
    expected = net(images, FrozenAdapter()(support, 3, net))
    torch.testing.assert_close(net(images, params), expected)


def test_images_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net, support = necked(), making.labeled(2, 3, 2)
    given = passes(net, monkeypatch)
    adapter = SafeAdapter(ConstantAdapter(net.identity()), PrototypeHead()).eval()
    adapter(support, 3, net)
    assert given == [12]
    read = net.read(support.images.flatten(0, 1)).unflatten(0, support.images.shape[:2])
    given.clear()
    adapter(replace(support, images=read), 3, net)
    assert not given
