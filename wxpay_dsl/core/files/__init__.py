"""Local files: opening them off the event loop, writing them atomically, and showing their names in errors.

The modules are independent of one another and import nothing else of the package.
"""
