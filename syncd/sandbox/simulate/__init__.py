"""Weeks in a moment: the real engine, policy and store against a drawn world in which everything goes wrong.

`python -m syncd.sandbox.simulate --seeds 1000` runs it. Each seed draws a story (who texts, what people do in
the PSA) and which faults strike while it is told: calls that fail before or after their effect, kills between
any two steps, a full disk, clocks that are set. Then the faults end, the world is left alone until nothing more
happens, and a judge who saw everything holds the PSA and the ledger against a second reading of the policy.

    story      what people do, drawn from a seed
    chance     what goes wrong, drawn from a seed
    vendors    PrimeVOX and the PSA, in memory, behind the interfaces of the real ones
    stage      the world: time, database, engine; carries a story out
    truth      the evidence as it really was, beside what was observed
    oracle     the second reading of the policy
    sightings  what the lists of contacts showed, and what only a person can have done
    judge      what must hold, at each step and at rest
    run        one seed; the smallest story that still fails
    report     many seeds on all cores, and what they counted
"""
