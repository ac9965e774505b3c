"""What the votes say: one model of a vote, the board, the biases, and what each provenance adds.

Pure: data frames of votes in, frozen results out. Knows no SQL, no page, no model; whoever asks gives the time.
"""
