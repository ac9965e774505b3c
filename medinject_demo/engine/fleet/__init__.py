"""Past one machine: replicas of ``LocalEngine`` on Ray Serve, behind the same seam as one engine.

``plan`` and ``wire`` are values; ``ledger`` is what the cluster remembers; ``replica`` runs beside a model; ``call``
and ``fleet`` run beside the page; ``cluster`` starts, joins and ends Ray. Only what is called imports ray.
"""
