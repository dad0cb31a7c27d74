"""Forecast: a series in, what comes next out, with a band it should stay in.

series.py      tables -> series, gaps and bad dates        bands.py     how far reality strays
linear.py      one linear map, the floor and the default   measures.py  MASE, sMAPE, CRPS, coverage
tokens.py      numbers as words of a language model        chart.py     history, forecast, band
foretelling.py a model folder: fitting, keeping, opening   logging.py   forecasts to learn from
application.py
"""
