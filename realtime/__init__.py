"""The ground floor: the language of Tsudoi and its silent engines.

Owns the models, the operations table's types, events, errors, close codes, ids, text rules, settings and
the state machines of connection and hub. Every floor above may import it; it imports none of them and
never awaits: time, randomness and I/O come in as arguments.
"""
