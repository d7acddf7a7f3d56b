"""What a problem file asks for, from its text to a folder with numbers and a report: parse, call, report.

The modules are imported one by one: `folder`, `errors` and `paths` bring nothing heavy.
"""
