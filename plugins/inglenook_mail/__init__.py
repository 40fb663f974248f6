"""Reads mail: single messages, mailboxes and Outlook messages, with their attachments."""
