"""Task encoders: what a support set says of its task."""

from fewshot_film.parts.encoder.base import FeatureFunction, TaskEncoder
from fewshot_film.parts.encoder.discriminative import DiscriminativeEncoder
from fewshot_film.parts.encoder.prototype_mean import PrototypeMean

__all__ = ["DiscriminativeEncoder", "FeatureFunction", "PrototypeMean", "TaskEncoder"]
