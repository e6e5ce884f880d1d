"""The key that signs the trail and the frozen days is changed by two people (security.md §3, §5).

The old key signs its last row and who follows it; then its place is taken. Killed anywhere, `approvals execute` or the
next opening of the room goes on where it stopped.
"""

from gateway.app.config import Config
from gateway.app.say import Outside
from gateway.app.security_desk import SecurityDesk, security_desk
from gateway.app.signing_keys import install, new_signer
from gateway.core.approval import Approval, NotAllowed, Person
from gateway.security.contents import Content, read_content

KIND, SUBJECT = "security.key", "signing"


class KeyChange(Content, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What two people decide about. public: the key in force, in hex."""

    public: str


def propose(desk: SecurityDesk, person: Person, reason: str) -> Approval:
    """Propose that a new key takes the place of the one in force. Raises NotAllowed, TrailFailed."""
    public = desk.signer.public.hex()
    summary = (
        "更换签名密钥：新密钥在批准后由本机生成，旧密钥的私钥随即销毁，公钥保留以验证以前的签名",
        f"现用公钥{public}",
    )
    content = KeyChange(summary=summary, public=public).content()
    return desk.approvals.propose(person, KIND, SUBJECT, content, reason)


def carry_out(config: Config, approval: Approval, content: bytes, outside: Outside) -> str:
    """Change the key. Raises NotAllowed when it is another by now, KeyFileError, TrailFailed."""
    path = config.signing_key_file
    with security_desk(config, outside.now, outside.entropy) as desk:
        if all(one.approval != approval.id for one in desk.store.hand_overs()):
            if desk.signer.public.hex() != read_content(KeyChange, content).public:
                raise NotAllowed("SEC-CHANGED", "签名密钥在提出之后更换过，请重新提出")
            desk.trail.hand_over(new_signer(path, outside.entropy), approval)
            install(path)
        public = desk.signer.public.hex()
    return f"已更换签名密钥，新公钥{public[:16]}…；请把 audit key 的输出交审计方保存"
