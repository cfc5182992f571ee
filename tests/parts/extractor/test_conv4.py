import making
import torch
from torch.nn import functional as F

from fewshot_film.parts.conditioning import FiLM
from fewshot_film.parts.extractor import Conv4


def test_conv4_is_four_times_conv_norm_film_relu_pool() -> None:
    net = making.extractor("conv4").double()
    images = making.pictures(2, 3, size=37).double()
    params = making.task_params(net, 2)
    state, out = net.state_dict(), net(images, params)
    for t in range(2):
        h = images[t]
        for i in range(4):
            norm = {k: state[f"blocks.{i}.site.norm.batch_norm.{k}"] for k in state_names}
            h = F.conv2d(h, state[f"blocks.{i}.conv.weight"], padding=1)
            h = F.batch_norm(h, *norm.values())
            gamma, beta = (params[f"block{i + 1}"][n][t].view(-1, 1, 1) for n in ("gamma", "beta"))
            h = F.max_pool2d(F.relu(gamma.double() * h + beta.double()), 2)
        torch.testing.assert_close(out[t], h.flatten(1))


state_names = ("running_mean", "running_var", "weight", "bias")


def test_size_of_the_published_network() -> None:
    net = Conv4(FiLM, channels=3)
    assert net.feature_dim(3, 84) == 1600
    convolutions = 9 * 64 * (3 + 3 * 64)
    assert sum(p.numel() for p in net.parameters()) == convolutions + 4 * 2 * 64


def test_features_of_every_size() -> None:
    net = making.extractor("conv4")
    for size in (16, 28, 31, 32):
        assert net.feature_dim(1, size) == 4 * (size // 16) ** 2
