"""The laws of a task encoder."""

import copy
from dataclasses import replace

import making
import torch
from laws.broken import encoders as broken
from laws.cases import Case
from laws.law import Laws
from laws.telling import EVERY, ORDER, apart, close, same_state, state_of

from fewshot_film.parts.adaptation import LearnedAdapter
from fewshot_film.parts.encoder import TaskEncoder
from fewshot_film.parts.extractor import Extractor

LAWS = Laws(("encoder",))

SUPPORT = making.labeled(3, 3, 2)
OTHER = making.labeled(3, 3, 2, seed=5)


def encoder(case: Case) -> tuple[TaskEncoder, Extractor]:
    """It and the extractor that it is lent, lived-in."""
    features = copy.deepcopy(case.model().features)
    assert isinstance(features.adapter, LearnedAdapter)
    return features.adapter.encoder, features.extractor


@LAWS.law(broken.Unsized, shapes=True)
def an_encoder_gives_as_much_as_it_says(case: Case) -> None:
    made, features = encoder(case)
    for shot in (1, 2):
        z = made(making.labeled(3, 4, shot), 4, features)
        assert z.shape == (3, made.embedding_dim)
        assert z.isfinite().all()


@LAWS.law(broken.ForwardApart)
def forward_is_summarise_after_embed(case: Case) -> None:
    made, features = encoder(case)
    embedded = made.embed(SUPPORT.images, features)
    assert torch.equal(made.summarise(embedded, SUPPORT.labels, 3), made(SUPPORT, 3, features))


@LAWS.law(broken.LabelsKept)
def images_embedded_once_take_any_labels(case: Case) -> None:
    made, features = encoder(case)
    embedded = made.embed(SUPPORT.images, features)
    made.summarise(embedded, SUPPORT.labels, 3)
    for labels in (OTHER.labels, SUPPORT.labels.flip(1)):
        relabelled = replace(SUPPORT, labels=labels)
        fresh, lent = encoder(case)
        close(made.summarise(embedded, labels, 3), fresh(relabelled, 3, lent))


@LAWS.law(broken.Claiming)
def an_encoder_says_whether_it_tells_labellings(case: Case) -> None:
    made, features = encoder(case)
    embedded = made.embed(SUPPORT.images, features)
    one, other = (made.summarise(embedded, s.labels, 3) for s in (SUPPORT, OTHER))
    assert apart(one, other) == made.tells_labellings


@LAWS.law(broken.Ordered)
def the_order_of_the_support_does_not_matter(case: Case) -> None:
    made, features = encoder(case)
    shuffled = making.chosen(SUPPORT, EVERY, ORDER)
    close(made(shuffled, 3, features), made(SUPPORT, 3, features))


@LAWS.law(broken.OrderedInTraining)
def nor_does_it_in_training(case: Case) -> None:
    made, features = encoder(case)
    other, lent = copy.deepcopy((made.train(), features.train()))
    shuffled = making.chosen(SUPPORT, EVERY, ORDER)
    close(other(shuffled, 3, lent), made(SUPPORT, 3, features), 1e-4)


@LAWS.law(broken.Numbering)
def names_of_the_classes_do_not_matter(case: Case) -> None:
    made, features = encoder(case)
    renamed = replace(SUPPORT, labels=torch.tensor([2, 0, 1])[SUPPORT.labels])
    close(made(renamed, 3, features), made(SUPPORT, 3, features))


@LAWS.law(broken.MixingTasks)
def each_task_is_encoded_on_its_own(case: Case) -> None:
    made, features = encoder(case)
    tasks = [making.chosen(SUPPORT, slice(t, t + 1)) for t in range(3)]
    alone = [made(task, 3, features) for task in tasks]
    close(torch.cat(alone), made(SUPPORT, 3, features))


@LAWS.law(broken.MixingImages)
def each_image_is_embedded_on_its_own(case: Case) -> None:
    made, features = encoder(case)
    together = made.embed(SUPPORT.images, features)
    close(made.embed(SUPPORT.images[1:2, 2:3], features), together[1:2, 2:3])


@LAWS.law(broken.Half)
def an_encoder_stays_in_float32_in_autocast(case: Case) -> None:
    made, features = encoder(case)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = made(SUPPORT, 3, features)
    assert z.dtype == torch.float32
    assert z.isfinite().all()


@LAWS.law(broken.Detached)
def gradients_reach_the_images_and_what_an_encoder_learns(case: Case) -> None:
    made, features = encoder(case)
    images = SUPPORT.images.clone().requires_grad_()
    z = made.train()(replace(SUPPORT, images=images), 3, features)
    (z * torch.arange(1.0, z.shape[1] + 1)).sum().backward()
    for value in (images, *made.parameters()):
        assert value.grad is not None
        assert value.grad.isfinite().all()
        assert value.grad.any()


@LAWS.law(broken.Averaging)
def an_encoder_remembers_nothing(case: Case) -> None:
    made, features = encoder(case)
    before, lent = state_of(made), state_of(features)
    first = made(SUPPORT, 3, features)
    made(OTHER, 3, features)
    assert torch.equal(made(SUPPORT, 3, features), first)
    assert same_state(made, before)
    assert same_state(features, lent)
