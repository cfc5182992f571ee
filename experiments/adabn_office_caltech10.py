"""Few-shot tasks from a camera never seen: `python experiments/adabn_office_caltech10.py`.

Source: the question of Li et al., Adaptive batch normalization (2018), who have Office-31, put to
few-shot tasks on Office-Caltech10 (Gong et al. 2012): ten kinds of object from a shop's pages, a
collection of photographs, and two cameras. Each domain in turn is kept for the test, and a
prototypical network learns from tasks in the three others, whose classes are the same. There is no
published figure for this protocol.
Protocol: 32x32 colour images, 5-way tasks whose images share a domain, 1-shot and 5-shot with 3
queries a class out of all images of the tested domain (the smallest has eight images of a class),
600 episodes, trained on 5-shot tasks. Rows and size are those of `adabn_pacs`.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import adabn_pacs
import tyro
from leave_one_domain_out import leave_one_domain_out
from recipe import Options, run_recipe, tasks

from fewshot_film.data.sets.domain_folders import OFFICE_CALTECH10

BASE = replace(adabn_pacs.BASE, dataset="office-caltech10", query=3)
TESTS = (tasks(5, 1, 3, 600), tasks(5, 5, 3, 600))
RECIPE = leave_one_domain_out("adabn_office_caltech10", BASE, OFFICE_CALTECH10.domains, TESTS)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
