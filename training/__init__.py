"""Labels in, a model out: m and u, calibration, thresholds, model card."""

from training.learning import Tolerances
from training.train import TrainJob, train

__all__ = ["Tolerances", "TrainJob", "train"]
