"""What answers: torch, transformers, peft, safetensors and numpy alone.

To read it in one sitting, in this order:

==========================================  ============================================================================
``base``                                    the seam: requests in, events out, and ``ScriptedEngine``
``local``                                   ``LocalEngine``: one base, its arms in slots of a bank, rows in one batch
``adapter``, ``adapter_settings``           an adapter's files, read as peft reads them, or refused
``scales``, ``origin``                      its ``s``; the base that both depend on
``bank``, ``ways``                          A, B and s of every slot beside the base's layers; how rows find theirs
``batch``                                   the thread that owns the model: who joins, is fed, is stepped, leaves
``rows``, ``lines``, ``pieces``             an answer in flight, its line of the cache, how much of its prompt at once
``steps``, ``cache``, ``outcome``           a step by transformers' own code, over lines of keys and values
``decode``, ``choices``                     from logits to tokens and text; to the probabilities of letters
``layout``                                  from a conversation to the tokens of its prompt
``tenancy``, ``room``                       which slot answers for an arm; how many rows there is memory for
``prepare``, ``loading``, ``quantization``  from a base's name to a model ready for its bank
``halves``, ``fewrows``                     layers of a processor's own: stored in bf16, or multiplied by few rows
``distinct``, ``routes``                    compared once loaded: arms with each other, a quicker way with the oracle
``parts``, ``native``                       the quicker way on a processor: a forward in C, compiled where it runs
``captured``, ``fused``                     the quicker way on a GPU: captured steps, of Triton kernels
==========================================  ============================================================================

Beside them: ``sequential``, peft's own way and the oracle of the tests; ``device`` and ``headers``, what a machine and
a file offer; ``endpoint``, ``remote`` and ``fleet``, engines on other machines; ``bench``, the tables.
"""
