"""Answers over HTTP and on a page; every answer is on disk before anyone can judge it.

settings     what an operator chooses            schemas    requests, checked field by field
generation   one reply, token by token           spelling   tokens to text that never flickers
engine       whose turn it is, and who waits     journal    answers that were begun
recording    answers as episodes                 answering  one question from queue to record
openai       OpenAI's answer shapes              routes     /v1/…, health
access       who may ask, how much, from where   assets     the documentation page, served locally
heat         what the value function liked       page       conversation, thumbs, heat map
app          the application                     server     running it
"""
