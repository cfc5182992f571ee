import making
import pytest
import torch
from necks import necked
from torch.nn import functional as F

from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation import FrozenAdapter

frozen = FrozenAdapter()


def test_a_network_without_more_takes_nothing() -> None:
    assert frozen(making.labeled(2, 3, 2), 3, making.extractor()) is None
    assert not frozen.state_dict()


@pytest.mark.parametrize("conditioning", ["film", "scale"])
@pytest.mark.parametrize("sites", ["none", "all"])
def test_a_neck_adds_nothing(sites: str, conditioning: str) -> None:
    net, support = necked(sites, conditioning), making.labeled(2, 3, 2)
    assert net(support.images)[..., net.own_dim :].any()
    features = net(support.images, frozen(support, 3, net))
    assert not features[..., net.own_dim :].any()
    network = net.network
    own = network.tapped(support.images.flatten(0, 1), lambda _name, site, h: passed(site, h))[-1]
    torch.testing.assert_close(features[..., : net.own_dim].flatten(0, 1), F.normalize(own))


def passed(site: torch.nn.Module, h: torch.Tensor) -> torch.Tensor:
    out: torch.Tensor = site(h.unsqueeze(0), {})
    return out.squeeze(0)


def test_its_parameters_are_where_the_weights_are() -> None:
    support = making.labeled(2, 3, 2)
    params = frozen(support, 3, necked().double())
    assert params is not None
    assert {value.dtype for value in params["neck"].values()} == {torch.float64}
    on_meta = necked().to("meta").plain_params(2)["neck"]
    assert {value.device.type for value in on_meta.values()} == {"meta"}


@pytest.mark.parametrize("conditioning", ["bias", "gate", "none"])
def test_a_mechanism_that_cannot_take_the_neck_away(conditioning: str) -> None:
    with pytest.raises(UsageError, match=r"cannot take away what a neck adds, .*film or scale$"):
        frozen(making.labeled(2, 3, 2), 3, necked(conditioning=conditioning))
