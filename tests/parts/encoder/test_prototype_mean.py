import making
import pytest
import torch
from torch import nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation.adaptive_batch_norm import batch_norm_of
from fewshot_film.parts.encoder import ENCODERS, PrototypeMean
from fewshot_film.parts.encoder.prototype_mean import Statistics
from fewshot_film.tasks.episode import LabeledSet


def test_it_is_the_mean_of_the_class_means() -> None:
    """Classes of 1, 2 and 5 images weigh alike."""
    labels = torch.tensor([[0, 1, 1, 2, 2, 2, 2, 2], [2, 2, 1, 0, 1, 2, 2, 2]])
    support = LabeledSet(making.pictures(2, 8), labels)
    z = PrototypeMean(16 * 16)(support, 3, nn.Flatten(start_dim=2))
    for t in range(2):
        flat = support.images[t].flatten(1).double()
        means = [flat[labels[t] == c].mean(0) for c in range(3)]
        expected = torch.stack(means).mean(0)
        torch.testing.assert_close(z[t].double(), expected, rtol=0, atol=1e-6)
        assert not torch.allclose(z[t].double(), flat.mean(0), atol=1e-3)


def test_it_reads_the_unconditioned_features() -> None:
    net, support = making.extractor(), making.labeled(2, 3, 2)
    z = PrototypeMean(4)(support, 3, net)
    torch.testing.assert_close(z, net(support.images).mean(1))
    assert not list(PrototypeMean(4).parameters())


@pytest.mark.parametrize(
    ("statistics", "moves"), [("counted", True), ("uncounted", False), ("running", False)]
)
def test_its_pass_may_stay_out_of_the_statistics(statistics: Statistics, moves: bool) -> None:
    """Counted, the support set moves the running statistics; otherwise it leaves them."""
    net, support = making.extractor().train(), making.labeled(2, 3, 2)
    norms = [batch_norm_of(name, site) for name, site in net.sites().items()]
    before = [
        (norm.running_mean.clone(), norm.momentum)
        for norm in norms
        if norm.running_mean is not None
    ]
    PrototypeMean(4, statistics=statistics)(support, 3, net)
    assert len(before) == len(norms) == 4
    for norm, (mean, momentum) in zip(norms, before, strict=True):
        assert norm.running_mean is not None
        assert torch.equal(norm.running_mean, mean) != moves
        assert norm.momentum == momentum
    assert all(m.training for m in net.modules())


@pytest.mark.parametrize(
    ("statistics", "alone"), [("counted", False), ("uncounted", False), ("running", True)]
)
def test_z_may_depend_on_its_own_task_alone_in_training(
    statistics: Statistics, alone: bool
) -> None:
    """With running statistics; with the batch's, the other task moves it."""
    net, support = making.extractor().train(), making.labeled(2, 3, 2)
    encoder, one = PrototypeMean(4, statistics=statistics), making.chosen(support, slice(1))
    first = encoder(one, 3, net)
    assert torch.allclose(encoder(support, 3, net)[:1], first, atol=1e-5) == alone
    evaluated = encoder(one, 3, net.eval())
    assert torch.allclose(evaluated, first, atol=1e-5) == alone


def test_options_by_name() -> None:
    for name in ("prototype-mean", "prototype-mean:statistics=counted"):
        made = ENCODERS.read(name)(channels=3, size=84, feature_dim=7)
        assert isinstance(made, PrototypeMean)
        assert (made.embedding_dim, made.statistics, made.steers_statistics) == (
            7,
            "counted",
            False,
        )
    for name in ("uncounted", "running"):
        made = ENCODERS.read(f"prototype-mean:statistics={name}")(feature_dim=7)
        assert isinstance(made, PrototypeMean)
        assert (made.statistics, made.steers_statistics) == (name, True)
    assert not made.tells_labellings


def test_images_of_another_size_are_refused() -> None:
    encoder, support = PrototypeMean(12), making.labeled(2, 3, 2)
    with pytest.raises(UsageError, match=r"^images of 16x16 pixels have 256 features, .* 12; give"):
        encoder(support, 3, nn.Flatten(start_dim=2))
