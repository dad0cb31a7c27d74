"""Supervised fine-tuning: examples with answers in, an ordinary model folder out.

The doors: fine_tune.py (one task), multi_task.py (several on one trunk), writing.py (replies and
translations); result.py opens what they leave.

    examples.py, files.py, labels.py   what is learnt from, and how it is read from files
    preparing.py                       validation held out, steps, what a run says of itself
    trunk.py, scratch.py, strategy.py  what reads, trained by others or not, and what of it changes
    kinds.py                           what a kind of task is: rows, head, loss, answers, measures
    classifying.py, tagging.py, reading.py   the kinds; heads.py, crf.py, what answers in them
    batches.py, hidden_states.py, learner.py what the one loop trains
    measures.py, calibration.py        how right the answers are, and how sure
    ordinary.py, card.py               the folder as `transformers` and people read it
"""
