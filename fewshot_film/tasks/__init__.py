"""Kinds of task beyond the plain N-way K-shot one; all draw the same Episode."""

from fewshot_film.tasks.attributes import AttributeSampler
from fewshot_film.tasks.augmented import Augmented
from fewshot_film.tasks.class_batches import ClassBatches
from fewshot_film.tasks.controls import other_labels, other_question
from fewshot_film.tasks.cross_domain import CrossDomainSampler
from fewshot_film.tasks.labeled_batches import SupervisedBatches
from fewshot_film.tasks.mixture import Mixture
from fewshot_film.tasks.natural_labellings import NaturalLabellingSampler, class_or_domain
from fewshot_film.tasks.nested_labellings import NestedLabellingSampler
from fewshot_film.tasks.photo_attributes import photo_attribute_tasks, rendering_or_class
from fewshot_film.tasks.pool import Pool
from fewshot_film.tasks.random_operations import random_operation_tasks
from fewshot_film.tasks.rendered import Rendered
from fewshot_film.tasks.same_domain import SameDomainSampler
from fewshot_film.tasks.uniform_query import UniformQuerySampler
from fewshot_film.tasks.which_attribute import FACTORS, WhichAttributeSampler

__all__ = [
    "FACTORS",
    "AttributeSampler",
    "Augmented",
    "ClassBatches",
    "CrossDomainSampler",
    "Mixture",
    "NaturalLabellingSampler",
    "NestedLabellingSampler",
    "Pool",
    "Rendered",
    "SameDomainSampler",
    "SupervisedBatches",
    "UniformQuerySampler",
    "WhichAttributeSampler",
    "class_or_domain",
    "other_labels",
    "other_question",
    "photo_attribute_tasks",
    "random_operation_tasks",
    "rendering_or_class",
]
