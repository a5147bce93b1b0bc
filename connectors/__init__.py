"""The built-in connectors: one PSA each, the same files in the same order.

settings.py    what the admin may say, checked at start
connector.py   the contract of `syncd.connector`, kept
and between the two whatever speaks the PSA's own language (`table.py`: files, `client.py`: HTTP).

Connectors know nothing of one another, and of syncd only `connector`, `model`, `errors` and `http`.
"""
