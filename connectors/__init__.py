"""The built-in connectors: one PSA each, the same files with the same names in them.

settings.py    what the admin may say, checked at start
client.py      the PSA's HTTP grammar: one call, lists, one record, one write
answers.py     what an answer of it means: status, complaints, which exception
fields.py      the two custom fields: how they are described, and what records hold in them
listing.py     lists that show everything that counts
writing.py     consents on their way into the PSA
checkup.py     what `syncd check --online` finds out
connector.py   the contract of `syncd.connector`, kept with the parts above

and beside these what only one PSA has (`zone.py`, `site.py`, `login.py`, `phones.py`, `groups.py`; `table.py` for
files). What they share is in `syncd.connector`, for connectors of others too.

Connectors know nothing of one another, and of syncd only `connector`, `model`, `errors` and `http`.
"""
