"""The laws of a whole classifier, with every adapter, encoder, generator and head."""

import copy
import pickle
from dataclasses import replace

import making
import torch
from laws.broken import adapters, conditionings, encoders, generators, heads, normalizations
from laws.cases import AXES, Case
from laws.exceptions import NOT_GENERATED, TRANSDUCTIVE
from laws.law import Laws
from laws.telling import (
    EVERY,
    ORDER,
    apart,
    close,
    exported,
    in_float64,
    same_state,
    saved_and_loaded,
    state_of,
)
from torch import nn

from fewshot_film.model.classifier import FewShotClassifier
from fewshot_film.parts.adaptation import LearnedAdapter
from fewshot_film.parts.extractor import DropBlock
from fewshot_film.parts.generator import Generator
from fewshot_film.tasks.episode import Episode

LAWS = Laws(AXES, quick=12)

WAY = 3
EPISODE = making.episode(way=WAY)


@LAWS.law(heads.NotANumber, shapes=True)
def a_logit_for_every_task_query_and_class(case: Case) -> None:
    logits = case.model()(EPISODE)
    assert logits.shape == (3, 6, WAY)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert not torch.equal(logits[0], logits[1])


@LAWS.law(normalizations.Peeking, heads.MixingQueries, exceptions=TRANSDUCTIVE)
def a_query_alone_is_the_query_among_others(case: Case) -> None:
    model = case.model()
    some = [making.chosen(EPISODE.query, EVERY, part) for part in (slice(1), slice(1, 6))]
    answers = [model(replace(EPISODE, query=query)) for query in some]
    close(torch.cat(answers, dim=1), model(EPISODE), 1e-4)


@LAWS.law(
    encoders.MixingTasks, generators.MixingTasks, conditionings.MixingTasks, heads.MixingTasks
)
def a_task_alone_gives_the_same_logits(case: Case) -> None:
    model = case.model()
    alone = [model(making.task(EPISODE, t)) for t in range(3)]
    close(torch.cat(alone), model(EPISODE), 1e-4)


@LAWS.law(conditionings.Placed)
def the_order_of_the_queries_does_not_matter(case: Case) -> None:
    model = case.model()
    shuffled = replace(EPISODE, query=making.chosen(EPISODE.query, EVERY, ORDER))
    close(model(shuffled), model(EPISODE)[:, ORDER], 1e-4)


@LAWS.law(encoders.Ordered, adapters.FirstImage)
def the_order_of_the_support_does_not_matter(case: Case) -> None:
    model = case.model()
    shuffled = replace(EPISODE, support=making.chosen(EPISODE.support, EVERY, ORDER))
    close(model(shuffled), model(EPISODE), 1e-4)


@LAWS.law(encoders.OrderedInTraining, shapes=True)
def nor_does_it_in_training(case: Case) -> None:
    model = copy.deepcopy(case.model()).train()
    without_drops(model)
    other = copy.deepcopy(model)
    shuffled = replace(EPISODE, support=making.chosen(EPISODE.support, EVERY, ORDER))
    close(other(shuffled), model(EPISODE), 1e-3)


@LAWS.law(encoders.Numbering)
def names_of_the_classes_do_not_matter(case: Case) -> None:
    model, rename = case.model(), torch.tensor([2, 0, 1])
    support = replace(EPISODE.support, labels=rename[EPISODE.support.labels])
    renamed = model(replace(EPISODE, support=support))
    close(renamed[..., rename], model(EPISODE), 1e-4)


@LAWS.law(heads.Half)
def a_classifier_in_autocast(case: Case) -> None:
    model = case.model()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(EPISODE)
    assert half.dtype == torch.float32
    close(half, model(EPISODE), 0.5)  # lived-in weights of both signs amplify the rounding


@LAWS.law(conditionings.Coarse)
def a_classifier_in_float64(case: Case) -> None:
    model = copy.deepcopy(case.model())
    single = model(EPISODE)
    # what descends keeps the step of the least loss, and rounding may choose between two alike
    tolerance = 1e-2 if case.adapter.startswith("gradient") else 5e-4
    close(model.double()(in_float64(EPISODE)).float(), single, tolerance)


@LAWS.law(conditionings.Unsaved)
def state_dict_and_pickle_hold_all(case: Case) -> None:
    model = case.model()
    expected, other = model(EPISODE), copy.deepcopy(case.model(seed=1))
    assert apart(other(EPISODE), expected)
    other.load_state_dict(saved_and_loaded(model.state_dict()))
    assert torch.equal(other(EPISODE), expected)
    assert torch.equal(pickle.loads(pickle.dumps(model))(EPISODE), expected)


@LAWS.law(encoders.Averaging, conditionings.Counting, normalizations.Following)
def an_evaluation_remembers_nothing(case: Case) -> None:
    model = case.model()
    before, first = state_of(model), model(EPISODE)
    model(making.episode(seed=5))
    assert torch.equal(model(EPISODE), first)
    assert same_state(model, before)


@LAWS.law(adapters.Descending, adapters.Switching)
def an_answer_leaves_gradients_and_modes_alone(case: Case) -> None:
    """And is the same where the caller wants no gradients."""
    model = copy.deepcopy(case.model())
    model.features.extractor.train()
    modes = [m.training for m in model.modules()]
    model.features.params_of(EPISODE)
    assert [m.training for m in model.modules()] == modes
    expected = model.eval()(EPISODE)
    with torch.no_grad():
        close(model(EPISODE), expected, 1e-4)
    assert all(p.grad is None for p in model.parameters())


@LAWS.law(conditionings.Tracing, costly=True)
def an_adapted_extractor_can_be_exported(case: Case) -> None:
    features, support = case.model().features, making.labeled(1, WAY, 2)
    images = making.pictures(4, seed=5)
    with making.unchecked():
        adapted = features.adapt(support.images[0], support.labels[0])
        expected = features(support, WAY, images.unsqueeze(0)).squeeze(0)
        close(adapted(images), expected)
        close(exported(adapted, (images,))(images), expected)


@LAWS.law(generators.Detached, exceptions=NOT_GENERATED)
def a_gradient_reaches_the_generator(case: Case) -> None:
    model = copy.deepcopy(case.model()).train()
    generator = generator_of(model)
    multipliers = generator.multipliers()
    for multiplier in multipliers:
        nn.init.zeros_(multiplier)
    names = {n for n, p in generator.named_parameters() if any(p is m for m in multipliers)}
    moved = reached(model, generator)
    assert moved, "nothing can start to learn"
    assert moved <= names, "zero multipliers hide the network behind them"
    for size in (
        0.1,
        0.05,
    ):  # one multiplier may wait for another, as of a product of two parameters
        with torch.no_grad():
            for multiplier in multipliers:
                assert multiplier.grad is not None
                multiplier.sub_(multiplier.grad.sign(), alpha=size)
        moved = reached(model, generator)
    assert moved == {n for n, _ in generator.named_parameters()}


@LAWS.law(conditionings.ElsewhereOnCuda, gpu=True)
def the_device_does_not_matter(case: Case) -> None:
    model = case.model()
    expected = model(EPISODE)
    with torch.backends.cudnn.flags(allow_tf32=False):
        close(copy.deepcopy(model).cuda()(EPISODE.to("cuda")).cpu(), expected, 1e-3)


@LAWS.law(generators.Detached, gpu=True)
def a_training_step_on_the_device(case: Case) -> None:
    model = copy.deepcopy(case.model()).train().cuda()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        logits = model(EPISODE.to("cuda"))
    logits.square().mean().backward()
    gradients = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(g is not None and g.isfinite().all() for g in gradients)


def without_drops(model: nn.Module) -> None:
    """DropBlock draws for a position in the batch, whatever image stands there."""
    for m in model.modules():
        if isinstance(m, DropBlock):
            m.eval()


def generator_of(model: FewShotClassifier) -> Generator:
    adapter = model.features.adapter.trained
    assert isinstance(adapter, LearnedAdapter)
    return adapter.generator


def reached(model: FewShotClassifier, generator: Generator, episode: Episode = EPISODE) -> set[str]:
    """The generator's parameters with a gradient that is not zero."""
    model.zero_grad()
    logits = model(episode)
    nn.functional.cross_entropy(logits.flatten(0, 1), episode.query.labels.flatten()).backward()
    named = generator.named_parameters()
    return {n for n, p in named if p.grad is not None and bool(p.grad.any())}
