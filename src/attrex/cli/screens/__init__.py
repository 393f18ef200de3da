"""What people see of results: one file per kind of result, each a function from the result to something rich prints.

Every screen begins with what to do, then come the figures. It fits 80 columns and leaves names whole.
"""
