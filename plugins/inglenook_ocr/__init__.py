"""Finds text in pictures and scanned pages with Tesseract, where that is installed."""
