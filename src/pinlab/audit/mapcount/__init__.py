"""Who trusts a mapcount: every reader of one, and what a pin counted as a mapping would do to it.

The audit that the mail asks for, "that nothing makes page-cache assumptions based on a non-zero
mapcount", and of which Jan Kara wrote that it is not going to be trivial. A reader is judged by
what it does with the number, under one of the schemes of the thread.
"""
