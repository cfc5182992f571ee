"""Normalizations: whose mean and variance a network is normalised by."""

from fewshot_film.normalization.base import Normalization
from fewshot_film.normalization.batch import BatchNorm
from fewshot_film.normalization.group import GroupNorm
from fewshot_film.normalization.instance import instance_norm
from fewshot_film.normalization.layer import layer_norm
from fewshot_film.normalization.meta import MetaBatchNorm
from fewshot_film.normalization.support import SupportBatchNorm
from fewshot_film.normalization.task_norm_instance import TaskNormInstance
from fewshot_film.normalization.task_norm_layer import TaskNormLayer
from fewshot_film.normalization.transductive import TransductiveBatchNorm

__all__ = [
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
