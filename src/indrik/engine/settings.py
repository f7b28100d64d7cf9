"""What the engine needs of the configuration, as one immutable value."""

from __future__ import annotations

from dataclasses import dataclass, field

from indrik.config import Config
from indrik.protocol.limits import Limits


def split_sticky(rule: str | None) -> tuple[str, str] | None:
    """Kind and name of a value of the setting `sticky`."""
    if rule is None:
        return None
    kind, _, name = rule.partition(":")
    return kind, name


@dataclass(frozen=True)
class EngineSettings:
    """Times in seconds (0: no limit), sizes in bytes. Field names are those of the settings."""

    limits: Limits = field(default_factory=Limits)
    keepalive: float = 2.0
    first_byte_timeout: float = 30.0
    header_timeout: float = 10.0
    body_timeout: float = 30.0
    body_min_rate: int = 240
    write_timeout: float = 60.0
    write_min_rate: int = 240
    proxy_protocol: str = "off"
    sticky: tuple[str, str] | None = None
    #: Werkzeug's debugger is in the application; no setting says so.
    has_debugger: bool = False
    worker_connections: int = 1000
    queue_timeout: float = 30.0
    body_buffer: int = 1048576
    output_buffer: int = 1048576
    output_spool: int = 1 << 30
    temporary_directory: str | None = None
    server_header: bool = True

    @classmethod
    def from_config(cls, cfg: Config) -> EngineSettings:
        """The engine's part of `cfg`. A limit of 0 is that of the whole head."""
        head = cfg.limit_request_head or 65536
        return cls(
            limits=Limits(
                line=cfg.limit_request_line or head,
                fields=cfg.limit_request_fields or head,
                field_size=cfg.limit_request_field_size or head,
                head=head,
                body=cfg.limit_request_body,
                header_map=cfg.header_map,
                forwarder_names=frozenset(name.upper() for name in cfg.forwarder_headers),
                permit_obsolete_folding=cfg.permit_obsolete_folding,
                permit_space_before_colon=cfg.strip_header_spaces,
                permit_unconventional_method=cfg.permit_unconventional_http_method,
                permit_unconventional_version=cfg.permit_unconventional_http_version,
                casefold_method=cfg.casefold_http_method,
            ),
            keepalive=cfg.keepalive,
            first_byte_timeout=cfg.first_byte_timeout,
            header_timeout=cfg.header_timeout,
            body_timeout=cfg.body_timeout,
            body_min_rate=cfg.body_min_rate,
            write_timeout=cfg.write_timeout,
            write_min_rate=cfg.write_min_rate,
            proxy_protocol=cfg.proxy_protocol,
            sticky=split_sticky(cfg.sticky),
            worker_connections=cfg.worker_connections,
            queue_timeout=cfg.queue_timeout,
            body_buffer=cfg.body_buffer,
            output_buffer=cfg.output_buffer,
            output_spool=cfg.output_spool,
            temporary_directory=cfg.tmp_upload_dir,
            server_header=cfg.server_header,
        )
