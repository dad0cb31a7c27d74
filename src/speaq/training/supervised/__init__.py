"""Supervised fine-tuning: examples with answers in, an ordinary model folder out.

examples.py      what is learnt from            trunk.py, scratch.py  what reads it
heads.py, crf.py what answers                   strategy.py           which weights change
classifying.py, tagging.py, reading.py          one kind of task each: rows, loss, answers, metrics
writing.py       replies and translations       learner.py            one or several on one trunk
fine_tune.py     the door for one task          multi_task.py         the door for several
result.py        the folder that is left        files.py              examples from data files
"""
