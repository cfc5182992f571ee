import making
import pytest
import torch
from torch.nn import functional as F

from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation import ConstantAdapter
from fewshot_film.parts.conditioning import CONDITIONINGS


@pytest.mark.parametrize("conditioning", [n for n in CONDITIONINGS.names if n != "none"])
def test_it_starts_at_identity(conditioning: str) -> None:
    net, support = making.extractor("conv4", conditioning), making.labeled(2, 3, 2)
    params = ConstantAdapter(net.identity())(support, 3, net)
    expected = making.identity_params(net, 2)
    assert params.keys() == expected.keys()
    for site, values in params.items():
        assert values.keys() == expected[site].keys()
        assert all(torch.equal(value, expected[site][name]) for name, value in values.items())


def test_every_task_gets_the_same() -> None:
    model = making.classifier(adapter="constant")
    net, adapter = model.features.extractor, model.features.adapter
    params, others = (adapter(making.labeled(3, 3, 2, seed), 3, net) for seed in (0, 1))
    for site, values in params.items():
        for name, value in values.items():
            assert torch.equal(value, value[:1].expand_as(value))
            assert torch.equal(value, others[site][name])
            assert not torch.equal(value[0], net.identity()[site][name])


def test_it_learns_what_the_network_lacks() -> None:
    model, episode = making.classifier(adapter="constant"), making.episode()
    adapter = model.features.adapter
    optimizer = torch.optim.Adam(adapter.parameters(), lr=0.01)
    losses = []
    for _ in range(10):
        logits = model(episode).flatten(0, 1)
        losses.append(F.cross_entropy(logits, episode.query.labels.flatten()))
        optimizer.zero_grad()
        losses[-1].backward()
        assert all(p.grad is not None and p.grad.any() for p in adapter.parameters())
        optimizer.step()
    assert losses[-1] < losses[0]
    assert all(key.startswith("deltas.block") for key in adapter.state_dict())


def test_sites_that_take_nothing() -> None:
    with pytest.raises(UsageError, match="no site takes parameters"):
        ConstantAdapter(making.extractor("conv4", "none").identity())
