"""Task encoders: what a support set says of its task."""

from fewshot_film.base.family import Family
from fewshot_film.parts.encoder.base import TaskEncoder
from fewshot_film.parts.encoder.discriminative import DiscriminativeEncoder
from fewshot_film.parts.encoder.feature_contrast import FeatureContrast
from fewshot_film.parts.encoder.prototype_mean import PrototypeMean

ENCODERS: Family[TaskEncoder] = Family(
    "encoder",
    ("channels", "size", "feature_dim"),
    discriminative=DiscriminativeEncoder,
    prototype_mean=PrototypeMean,
    feature_contrast=FeatureContrast,
)

__all__ = ["ENCODERS", "DiscriminativeEncoder", "FeatureContrast", "PrototypeMean", "TaskEncoder"]
