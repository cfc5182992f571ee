import making
import torch

from fewshot_film.parts.encoder import PrototypeMean
from fewshot_film.tasks.episode import LabeledSet


def test_it_is_the_mean_of_the_class_means() -> None:
    """Classes of 1, 2 and 5 images weigh alike."""
    labels = torch.tensor([[0, 1, 1, 2, 2, 2, 2, 2], [2, 2, 1, 0, 1, 2, 2, 2]])
    support = LabeledSet(making.pictures(2, 8), labels)
    z = PrototypeMean(16 * 16)(support, 3, lambda images: images.flatten(2))
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
