"""One module for each group of parts: from facts to points, purely.

A part says what it can of what was read. What could not be read it leaves out: a row that is there
is right.
"""
