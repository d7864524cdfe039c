"""Pipecat, as its documentation writes it ("as it ships"), and with what costs time off ("lean").

Lean: RTVI, turn tracking and the idle timeout are off. Its log is silenced in both.
"""
