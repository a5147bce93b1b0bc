"""Stand-ins for the services that syncd talks to, speaking their HTTP on loopback.

They exist so that the daemon, its connectors and the demo can be exercised without an account. They are
not second implementations of the daemon's rules: each one keeps the records that the real service would keep,
serves them in the documented shape, and misbehaves on request.

What is served falls in three classes, and the docstrings say which:

* *documented*: the vendor's own pages or machine-readable descriptions say so;
* *seen live by third parties*: an author of client code reports it from a real tenant;
* *unknown*: nothing public settles it, so the stand-in can show each plausible behaviour (a *quirk*).

Everything here uses the standard library only, and listens on 127.0.0.1 only.
"""
