"""Trial: a run and the tasks that it is put to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fewshot_film.config.catalog import Entry, entry, folder_entry, foreign
from fewshot_film.config.config import Config
from fewshot_film.config.machine import HERE, Machine
from fewshot_film.config.problem import Problem, problem_of
from fewshot_film.config.protocol import Protocol, Question
from fewshot_film.measure.sanity import is_transductive
from fewshot_film.model.classifier import Classifier
from fewshot_film.runs.guard import check_same_classes, check_unseen, known_classes
from fewshot_film.runs.run import Run
from fewshot_film.runs.variants import Named, named
from fewshot_film.tasks.episode import Episode, Sampler
from fewshot_film.tasks.numbered import numbered


@dataclass(frozen=True, eq=False)
class Trial:
    """A run's classifier, what draws its tasks, and the protocol to print beside the figures.

    `pictured` draws the same tasks as people see them, where the classifier is given readings.
    """

    run: Run
    config: Config
    classifier: Classifier
    sampler: Sampler
    protocol: Protocol
    pictured: Sampler

    def episodes(self) -> Iterator[Episode]:
        """The tasks that an evaluation draws, one by one, on the classifier's device."""
        device = next(self.classifier.parameters()).device
        for episode in numbered(self.sampler, self.protocol.episodes, self.protocol.seed):
            yield episode.to(device)


def trial(
    name: str | Path,
    question: Question,
    machine: Machine = HERE,
    *,
    like: str | Path | None = None,
    problem: Problem | None = None,
) -> Trial:
    """(run, question) -> its Trial. What the question leaves out is as `like` (the run) was tested.

    A test is of classes, or of domains, that the run has not seen. `problem` is what the question
    is about, where it has been made already.
    """
    asked, base = named(name), named(like or name).run.config()
    run, config = asked.run, asked.run.config()
    problem = problem or problem_in_question(question, config, base, machine.root)
    domains = problem.named(question.domains or "") or problem.domains(question.split)
    images = problem.images(question.split, domains)
    check_same_classes(run, problem.name, images.names)
    if question.split == "test":
        check_unseen(run, problem.name, images.names, domains)
    classifier = asked.load(machine.device, lambda: problem.unlabeled(domains, seed=question.seed))
    protocol = replace(
        question.over(Protocol.of(base, domains=domains)),
        dataset=problem.name,
        image_size=config.size,
        channels=config.channels,
        trained_shot=None if config.classifies else config.shot,
        known_classes=len(known_classes(run, images.names)),
        transductive=is_transductive(classifier) or _holds_queries(asked, problem.entry, question),
    )
    read = problem.read_by(classifier.features.extractor, progress=machine.progress)
    samplers = read.sampler(protocol), problem.sampler(protocol)
    return Trial(run, config, classifier, samplers[0], protocol, pictured=samplers[1])


def problem_in_question(question: Question, config: Config, base: Config, root: Path) -> Problem:
    """The data that a question is about, in the size and channels that the run takes."""
    convert = question.convert_channels or foreign(config.extractor)
    trained_on = None if base.data else base.dataset
    if not question.data and question.dataset in (None, trained_on):
        about = problem_of(base, root)  # pictures are read as in the training
        own = base.data is not None and base.channels == config.channels
        return replace(about, size=config.size, channels=config.channels, convert=convert or own)
    named_set = question.dataset or base.dataset
    return Problem(
        question.data or named_set,
        folder_entry(Path(question.data), config.size) if question.data else entry(named_set),
        config.size,
        config.channels,
        root,
        convert=convert,
    )


def _holds_queries(asked: Named, about: Entry, question: Question) -> bool:
    """Whether a domain's statistics are of images that queries are drawn from."""
    whole = question.split == "test" and about.source.tested_whole
    return asked.looks_at_domain and (whole or question.split == "train")
