import making
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.conditioning import FiLM, SiteParams
from fewshot_film.extractor import ResNet12
from fewshot_film.extractor.resnet12 import ResidualBlock


def film(h: Tensor, params: SiteParams, t: int) -> Tensor:
    gamma, beta = (params[n][t].to(h).view(-1, 1, 1) for n in ("gamma", "beta"))
    return gamma * h + beta


def block_by_hand(block: ResidualBlock, h: Tensor, params: list[SiteParams], t: int) -> Tensor:
    """As written in methods.md: FiLM after each of three norms, the third before the sum."""
    norms = [site.norm for site in block.sites]
    first, second, third = block.convs
    a = film(norms[0](first(h)), params[0], t)
    b = film(norms[1](second(a * a.sigmoid())), params[1], t)
    c = film(norms[2](third(b * b.sigmoid())), params[2], t)
    total = c + block.shortcut(h)
    return F.max_pool2d(total * total.sigmoid(), 2)


def test_resnet12_follows_the_paper() -> None:
    net = making.extractor("resnet12").double()
    assert isinstance(net, ResNet12)
    images = making.pictures(2, 3, size=32).double()
    params = making.task_params(net, 2)
    sites, out = list(params.values()), net(images, params)
    for t in range(2):
        h = images[t]
        for i, block in enumerate(net.blocks):
            assert isinstance(block, ResidualBlock)
            h = block_by_hand(block, h, sites[3 * i : 3 * i + 3], t)
        torch.testing.assert_close(out[t], h.mean((2, 3)))


def test_size_of_the_published_network() -> None:
    net = ResNet12(FiLM)
    assert [s.norm.num_features for s in net.sites().values()] == (
        [64] * 3 + [128] * 3 + [256] * 3 + [512] * 3
    )
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) == 16
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) == 16
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 2) == 8.00
    assert net.feature_dim(3, 32) == 512


def test_features_do_not_depend_on_the_size() -> None:
    net = making.extractor("resnet12")
    assert {net.feature_dim(1, size) for size in (16, 28, 33)} == {32}
