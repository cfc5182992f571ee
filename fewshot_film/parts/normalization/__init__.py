"""Normalizations: whose mean and variance a network is normalised by."""

from fewshot_film.base.family import Family
from fewshot_film.parts.normalization.base import Normalization
from fewshot_film.parts.normalization.batch import BatchNorm
from fewshot_film.parts.normalization.group import GroupNorm
from fewshot_film.parts.normalization.instance import instance_norm
from fewshot_film.parts.normalization.layer import layer_norm
from fewshot_film.parts.normalization.meta import MetaBatchNorm
from fewshot_film.parts.normalization.support import SupportBatchNorm
from fewshot_film.parts.normalization.task_norm_instance import TaskNormInstance
from fewshot_film.parts.normalization.task_norm_layer import TaskNormLayer
from fewshot_film.parts.normalization.transductive import TransductiveBatchNorm

NORMALIZATIONS: Family[Normalization] = Family(
    "normalization",
    ("channels",),
    running=BatchNorm,
    support=SupportBatchNorm,
    transductive=TransductiveBatchNorm,
    meta=MetaBatchNorm,
    task_norm_i=TaskNormInstance,
    task_norm_l=TaskNormLayer,
    layer=layer_norm,
    instance=instance_norm,
    group=GroupNorm,
)

__all__ = [
    "NORMALIZATIONS",
    "BatchNorm",
    "GroupNorm",
    "MetaBatchNorm",
    "Normalization",
    "SupportBatchNorm",
    "TaskNormInstance",
    "TaskNormLayer",
    "TransductiveBatchNorm",
    "instance_norm",
    "layer_norm",
]
