from typing import get_args

import making
import pytest
import torch

from fewshot_film.parts.adaptation import LearnedAdapter, NoAdaptation
from fewshot_film.parts.adaptation.adaptive_batch_norm import batch_norm_of
from fewshot_film.parts.encoder import ENCODERS, PrototypeMean
from fewshot_film.parts.encoder.prototype_mean import Statistics
from fewshot_film.parts.generator import SharedGenerator


def test_it_is_the_generator_after_the_encoder() -> None:
    model, support = making.classifier(), making.labeled(2, 3, 2)
    adapter, net = model.features.adapter, model.features.extractor
    assert isinstance(adapter, LearnedAdapter)
    expected = adapter.generator(adapter.encoder(support, 3, net))
    params = adapter(support, 3, net)
    assert list(params) == list(net.sites())
    for site, values in params.items():
        for name, value in values.items():
            assert value.shape == (2, 4)
            assert torch.equal(value, expected[site][name])


def test_an_adapter_never_owns_the_extractor() -> None:
    model = making.classifier(encoder="prototype-mean")
    lent = {id(p) for p in model.features.extractor.parameters()}
    assert not lent & {id(p) for p in model.features.adapter.parameters()}


def test_no_adaptation_gives_no_params() -> None:
    net = making.extractor()
    assert NoAdaptation()(making.labeled(2, 3, 2), 3, net) is None
    assert not NoAdaptation().state_dict()


@pytest.mark.parametrize("statistics", get_args(Statistics))
def test_the_encoder_s_pass_may_stay_out_of_the_statistics(statistics: Statistics) -> None:
    """Counted, the support set moves the running statistics; otherwise it leaves them."""
    extractor = making.extractor().train()
    encoder = PrototypeMean(extractor.feature_dim(1, making.SIZE), statistics=statistics)
    generator = SharedGenerator(encoder.embedding_dim, extractor.identity())
    norm = batch_norm_of("block1", extractor.sites()["block1"])
    mean = norm.running_mean
    assert mean is not None
    before = mean.clone()
    LearnedAdapter(encoder, generator)(making.labeled(2, 3, 2), 3, extractor)
    assert torch.equal(mean, before) != (statistics == "counted")
    assert all(m.training for m in extractor.modules())


@pytest.mark.parametrize(("statistics", "alone"), [("uncounted", False), ("running", True)])
def test_an_embedding_may_depend_on_its_own_task_alone_in_training(
    statistics: str, alone: bool
) -> None:
    """With running statistics; with the batch's, the other task moves it."""
    net, support = making.extractor().train(), making.labeled(2, 3, 2)
    encoder = ENCODERS.read(f"prototype-mean:statistics={statistics}")(feature_dim=4)
    together = encoder(support, 3, net)
    z = encoder(making.chosen(support, slice(0, 1)), 3, net)
    assert torch.allclose(together[:1], z, atol=1e-5) == alone
    assert all(m.training for m in net.modules())
