"""Reads mail: single messages, mailboxes and Outlook messages, with their attachments."""

from __future__ import annotations

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_loaders(register: Register) -> None:
    register(
        Factory(
            name="mail",
            summary="Mail messages; attachments are read with their own loaders.",
            load="inglenook_mail.mail_loader:MailLoader",
            capabilities={"extensions": (".eml", ".emlx"), "media_types": ("message/rfc822",)},
            extra="mail",
        )
    )
    register(
        Factory(
            name="mbox",
            summary="Mailboxes, a section for each message.",
            load="inglenook_mail.mbox_loader:MboxLoader",
            capabilities={"extensions": (".mbox", ".mbx"), "media_types": ("application/mbox",)},
            extra="mail",
        )
    )
    register(
        Factory(
            name="msg",
            summary="Outlook messages.",
            load="inglenook_mail.msg_loader:MsgLoader",
            capabilities={
                "extensions": (".msg",),
                "media_types": ("application/vnd.ms-outlook",),
            },
            requires=("olefile",),
            extra="mail",
        )
    )
