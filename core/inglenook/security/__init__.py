"""Between the text and its use: filters judge, this package decides, redacts and streams.

It takes ready-made rules and knows neither profiles nor plugins.
"""
