"""Few-shot tasks in a style never seen, PACS: `python experiments/adabn_pacs.py`.

Source: the question of Li et al., Adaptive batch normalization (2018), put to few-shot tasks on
PACS (Li et al., Deeper, broader and artier domain generalization, 2017): photographs, paintings,
cartoons and sketches of seven kinds of object. Each style in turn is kept for the test, and a
prototypical network learns from tasks in the three others, whose classes are the same. There is no
published figure for this protocol.
Protocol: 32x32 colour images, 5-way tasks whose images share a domain, 1-shot and 5-shot with 15
queries a class out of all images of the tested domain, 400 episodes, trained on 5-shot tasks. Every
row of a domain is put to the same episodes and compared with the network as it is.

Rows: `none`, the network as it is; `support`, batch norm's statistics of the support set;
`task-norm`, a network trained with TaskNorm-I; `film`, one whose FiLM follows the mean of the
prototypes; `film-support`, the same, its FiLM after batch norm of the support set's statistics. The
transductive ones stand apart: `query`, statistics of support and queries, and `domain`, of nine in
ten images of the tested domain, the queries' among them, without labels.

What is small here, and why: Conv-4 with 32 channels, 1,500 steps and images of 32 pixels, for
minutes on a CPU. They show which adaptation helps, not how far a larger network goes.
"""

from __future__ import annotations

import sys

import tyro
from leave_one_domain_out import leave_one_domain_out
from recipe import Options, run_recipe, tasks

import fewshot_film as ff
from fewshot_film.data.sets.domain_folders import PACS

BASE = ff.default_config(
    "pacs",
    extractor="conv4:width=32",
    steps=1500,
    optimizer="adamw:decay=0.05",
    validate_every=500,
)
TESTS = (tasks(5, 1, 15, 400), tasks(5, 5, 15, 400))
RECIPE = leave_one_domain_out("adabn_pacs", BASE, PACS.domains, TESTS)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
