"""Transcribe: speech in, its words out, with times.

audio.py      files and bytes -> samples           voice.py     where somebody speaks
features.py   waveform -> MFCC                     engines.py   samples -> words: whisper.py,
acoustic.py   MFCC -> scores (CNN, LSTM, CTC)                   sphinx.py, own.py
spelling.py   letters or words as units            segments.py  times, SRT, VTT
ngrams.py     which unit follows which             scoring.py   WER, CER
beam.py       scores, n-grams -> the best text     chinese.py   simplified, traditional
recordings.py, training.py: the acoustic model from the user's own recordings
looking.py     the chain as pictures                         application.py
"""
