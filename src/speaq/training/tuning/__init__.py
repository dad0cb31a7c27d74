"""The search for settings: any verb that writes a run folder, judged by what it left there.

A trial is a process of its own that runs the verb's own command line, so a crash, a leak or an
operating system short of memory ends one trial and not the search; a trial can be stopped at any
moment, its memory measured, and its folder continued. The price is that every trial imports its
libraries anew (a few seconds).

tuning/
├── settings.yaml, command.txt   what is searched
├── metrics.jsonl                one line for each finished trial: value, best
├── study.journal or .sqlite     Optuna's record, shared by every process that joins
├── trial-0007/seed-0/           the run folder; seed-0.log beside it is what the verb said
├── plots/, trials.csv           pictures and the table
└── best.sh                      the command that makes the best trial again
"""

from speaq.training.tuning.command import Command
from speaq.training.tuning.report import Findings
from speaq.training.tuning.search import look, tune
from speaq.training.tuning.settings import (
    BudgetSettings,
    GoalSettings,
    PruningSettings,
    SamplingSettings,
)
from speaq.training.tuning.space import Dimension, dimensions
from speaq.training.tuning.vocabulary import Setting, settings_of

__all__ = [
    "BudgetSettings",
    "Command",
    "Dimension",
    "Findings",
    "GoalSettings",
    "PruningSettings",
    "SamplingSettings",
    "Setting",
    "dimensions",
    "look",
    "settings_of",
    "tune",
]
