"""The state on disk: the only package that speaks SQL.

Functions take a `Connection` that is inside a transaction; `Database.begin` makes one. Nothing here calls the
network, and no transaction is open while somebody else does.
"""
