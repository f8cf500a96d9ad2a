"""Changes: a plan that can be looked at, a run that can be stopped and resumed, a journal of what became of each
token.
"""
