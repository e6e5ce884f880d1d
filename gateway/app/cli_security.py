"""`liangding security`: users, approvals of two people, the report on rights (security requirements §4, §5)."""

import click

from gateway.app.cli_security_approvals import approvals
from gateway.app.cli_security_key import key
from gateway.app.cli_security_report import report
from gateway.app.cli_security_retention import retention
from gateway.app.cli_security_user import user


@click.group(help="安全：用户与角色、双人复核、权限使用情况报告")
def security() -> None:
    """`liangding security`."""


security.add_command(user)
security.add_command(approvals)
security.add_command(key)
security.add_command(report)
security.add_command(retention)
