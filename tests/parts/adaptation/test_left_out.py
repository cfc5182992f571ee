import making
import torch
from necks import necked
from torch.nn import functional as F

from fewshot_film.parts.adaptation.left_out import LeaveOneOut, read_once, tells
from fewshot_film.parts.head import PrototypeHead


def test_a_task_tells_where_every_class_has_two_images() -> None:
    labels = torch.tensor([[0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 2, 2], [0, 0, 0, 1, 1, 1]])
    assert tells(labels, 3).tolist() == [True, False, False]


def test_each_image_is_told_by_all_the_others() -> None:
    """Image by image, with the head fitted anew."""
    net, support, head = making.extractor(), making.labeled(2, 3, 3), PrototypeHead(scale=0.5)
    params, left_out = making.task_params(net, 2), LeaveOneOut(head)
    features, every = net(support.images, params), torch.arange(9)
    rows = []
    for i in every:
        rest = every[every != i]
        fitted = head.fit(features[:, rest], support.labels[:, rest], 3)
        rows.append(head(features[:, i : i + 1], fitted))
    logits = torch.cat(rows, dim=1)
    losses = left_out.losses(net, support, 3, params)
    for t in range(2):
        torch.testing.assert_close(losses[t], F.cross_entropy(logits[t], support.labels[t]))
    right = (logits.argmax(2) == support.labels).float().mean(1)
    assert torch.equal(left_out.accuracies(features, support.labels, 3), right)


def test_what_was_read_or_cannot_be_stays() -> None:
    images, net = making.pictures(2, 3), necked()
    read = read_once(images, net)
    assert read.shape == (2, 3, net.reading_dim, 1, 1)
    assert read_once(read, net) is read
    torch.testing.assert_close(net(read), net(images))
    assert read_once(images, necked("all")) is images
    assert read_once(images, necked().double()).dtype == torch.float64
