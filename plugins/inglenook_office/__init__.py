"""Reads documents of office suites: Word, PowerPoint, Excel, OpenDocument and RTF."""
