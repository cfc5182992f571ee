from contextlib import nullcontext

import making
import torch

from fewshot_film.base.modes import running, uncounted
from fewshot_film.parts.adaptation import LearnedAdapter, NoAdaptation
from fewshot_film.parts.adaptation.adaptive_batch_norm import batch_norm_of
from fewshot_film.parts.adaptation.learned import EncoderPass
from fewshot_film.parts.encoder import PrototypeMean
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
    model = making.classifier("prototype-mean")
    lent = {id(p) for p in model.features.extractor.parameters()}
    assert not lent & {id(p) for p in model.features.adapter.parameters()}


def test_no_adaptation_gives_no_params() -> None:
    net = making.extractor()
    assert NoAdaptation()(making.labeled(2, 3, 2), 3, net) is None
    assert not NoAdaptation().state_dict()


def test_the_encoder_s_pass_may_stay_out_of_the_statistics() -> None:
    """Counted, the support set moves the running statistics; uncounted, it leaves them."""
    support = making.labeled(2, 3, 2)
    passes: tuple[tuple[EncoderPass, bool], ...] = (
        (nullcontext, True),
        (uncounted, False),
        (running, False),
    )
    for encoder_pass, moves in passes:
        extractor = making.extractor().train()
        encoder = PrototypeMean(extractor.feature_dim(1, making.SIZE))
        generator = SharedGenerator(encoder.embedding_dim, extractor.identity())
        norm = batch_norm_of("block1", extractor.sites()["block1"])
        mean = norm.running_mean
        assert mean is not None
        before = mean.clone()
        LearnedAdapter(encoder, generator, encoder_pass)(support, 3, extractor)
        assert torch.equal(mean, before) != moves


def test_an_embedding_may_depend_on_its_own_task_alone_in_training() -> None:
    """With running statistics; with the batch's, the other task moves it."""
    model, support = making.classifier("tadam").train(), making.labeled(2, 3, 2)
    adapter, net = model.features.adapter, model.features.extractor
    assert isinstance(adapter, LearnedAdapter)
    alone = making.chosen(support, slice(0, 1))
    for encoder_pass, same in ((uncounted, False), (running, True)):
        given = LearnedAdapter(adapter.encoder, adapter.generator, encoder_pass)
        a, b = given(support, 3, net)["block1"]["gamma"], given(alone, 3, net)["block1"]["gamma"]
        assert torch.allclose(a[:1], b, atol=1e-5) == same
    assert all(m.training for m in net.modules())
