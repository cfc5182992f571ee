"""FC100, prototypical network with Conv-4: `python experiments/fc100_protonet.py`.

Source: the row "prototypical networks, Conv-4" that Lee et al., Meta-learning with differentiable
convex optimization (2019), quote for FC100.
Protocol: the split of TADAM's file, by superclass, 32x32, 5-way, 1,000 episodes with 15 queries a
class on test classes, inductive. 1-shot tests are of both trainings, with 1-shot tasks, as in the
source, and with 5-shot tasks.

What differs from the source, and why: as in `cifar_fs_protonet`. All was chosen on validation
classes, in trainings that were not kept, on 2,000 to 5,000 episodes (intervals of 0.2 to 0.35):
- of 4,000 steps, 5-shot: 20-way tasks were better than 10-way ones by a point and than 5-way ones
  by 1.7; weight decay 0.05 and 0.4 were as good as one another, 2 was worse by 2.7; co-training on
  batches of 128 gained 0.6, and nothing in a training of 10,000 steps, so it was not taken up;
- of 3,000 steps, 5-shot (44.9): with the cosine 44.6, label smoothing 0.1 44.9, colour jitter 44.4,
  CutMix of queries 44.4; averaged weights were never better by more than 0.1;
- 1-shot: of 3,000 steps 30.6, with the cosine 31.0, on 40-way tasks too; but of 7,500 steps with
  the cosine 30.8. What 5-shot tasks teach is better at 1-shot too: 31.3 and, of 10,000 steps, 32.4.
The 5-shot row has 10,000 steps, which validated better than 6,000 (46.8 against 45.7); 1-shot
trainings of 16,000 and of 6,000 steps validated alike (31.9 and 32.1). Others had been put to the
test classes before: 6,000 steps (5-shot 51.7, 1-shot 36.9), 7,500 1-shot steps with the cosine
(36.5), and for the 5-shot row another training of seed 0 (50.9).
"""

from __future__ import annotations

import sys
from dataclasses import replace

import cifar_fs_protonet
import tyro
from recipe import Options, Recipe, Row, run_recipe, tasks

FIVE_SHOT = replace(cifar_fs_protonet.FIVE_SHOT, dataset="fc100", steps=10_000)
ONE_SHOT = replace(cifar_fs_protonet.ONE_SHOT, dataset="fc100")
ROWS = (
    Row("one-shot", ONE_SHOT, (tasks(5, 1),)),
    Row("five-shot", FIVE_SHOT, (tasks(5, 1), tasks(5, 5))),
)
RECIPE = Recipe("fc100_protonet", ROWS)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
