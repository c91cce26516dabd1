"""SMB2 NEGOTIATE over direct TCP (MS-SMB2 2.2.1, 2.2.3, 2.2.4). No session, no credentials. No I/O."""

from __future__ import annotations

import struct
from typing import Final

from flexiscan_probes.wire.recognised import Recognised

PORT: Final = 445

_SMB2_MAGIC: Final = b"\xfeSMB"
_SMB1_MAGIC: Final = b"\xffSMB"
_HEADER: Final = struct.Struct("<HHIHHIIQIIQ16s")
_HEADER_BYTES: Final = 64  # with the magic
_NEGOTIATE: Final = struct.Struct("<HHHHI16sQ")
_DIALECTS: Final = (0x0202, 0x0210, 0x0300, 0x0302)  # 3.1.1 needs negotiate contexts and is not asked
_FRAME_BYTES: Final = 4
_SIGNING_REQUIRED: Final = 0x02
_FROM_SERVER: Final = 0x01  # SMB2_FLAGS_SERVER_TO_REDIR


def build_negotiate(client_guid: bytes) -> bytes:
    """A NEGOTIATE request with its length prefix; ValueError unless `client_guid` has 16 bytes."""
    if len(client_guid) != 16:
        raise ValueError(f"a client GUID has 16 bytes, not {len(client_guid)}")
    header = _SMB2_MAGIC + _HEADER.pack(_HEADER_BYTES, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, bytes(16))
    body = _NEGOTIATE.pack(36, len(_DIALECTS), 1, 0, 0, client_guid, 0)
    body += struct.pack(f"<{len(_DIALECTS)}H", *_DIALECTS)
    return struct.pack(">I", len(header) + len(body)) + header + body


def recognise_answer(data: bytes) -> Recognised | None:
    """An SMB answer, with dialect and signing where it is SMB2 NEGOTIATE, else None. Never raises."""
    if len(data) < _FRAME_BYTES + 32 or data[0] != 0:
        return None
    message = data[_FRAME_BYTES:]
    if message.startswith(_SMB1_MAGIC):
        return Recognised("smb", (("dialect", "1"),))
    if not message.startswith(_SMB2_MAGIC) or len(message) < _HEADER_BYTES or not message[16] & _FROM_SERVER:
        return None
    command = int.from_bytes(message[12:14], "little")
    status = int.from_bytes(message[8:12], "little")
    if command != 0 or status != 0 or len(message) < _HEADER_BYTES + 6:
        return Recognised("smb", (("status", f"{status:#010x}"),))
    mode, dialect = message[_HEADER_BYTES + 2], int.from_bytes(message[_HEADER_BYTES + 4 :][:2], "little")
    signing = "required" if mode & _SIGNING_REQUIRED else "optional"
    return Recognised("smb", (("dialect", f"{dialect:#06x}"), ("signing", signing)))
