"""`Settings` from ``odzew.toml`` and the environment, checked whole at start.

Any value can be overridden by an environment variable: ``ODZEW_DATABASE__URL``. Secrets come from
the environment or from files (``password_env``, ``password_file``), never from the TOML, and are
read only where they are used, so that no object that could be printed holds one.
"""

import ipaddress
import os
import re
import tomllib
from datetime import date
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import holidays
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from config.addresses import plain_address
from config.errors import PermanentError

LANGUAGES = ("pl", "en", "de", "cs", "uk")
Language = Literal["pl", "en", "de", "cs", "uk"]
Security = Literal["tls", "starttls", "none"]


class ConfigurationError(PermanentError):
    """The configuration is wrong; the message names the key, what was found, what is allowed."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(f"{name!r} is not a time zone such as 'Europe/Warsaw'") from None
    return name


def _known_country(code: str) -> str:
    try:
        holidays.country_holidays(code)
    except NotImplementedError:
        raise ValueError(
            f"no public holidays are known for {code!r}; allowed: an ISO 3166 code such as 'PL'"
        ) from None
    return code


def _sender(value: str) -> str:
    if value and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", parseaddr(value)[1]):
        raise ValueError(
            "allowed: an address, or a name and an address: Sklep <biuro@sklep.example>"
        )
    return value


def _address(value: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+", value):
        raise ValueError("allowed: an address without a name: biuro@sklep.example")
    return value


def _start(value: object) -> object:
    if isinstance(value, date) or value in ("now", "all", "archive"):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("allowed: 'now', 'all', 'archive' or a date such as 2026-11-01") from None


def _after_import(value: str) -> str:
    if value in ("leave", "keyword", "seen") or (value.startswith("move:") and value[5:].strip()):
        return value
    raise ValueError("allowed: 'leave', 'keyword', 'seen' or 'move:<folder>'")


def _endpoint(value: str) -> str:
    """The address without a slash at its end; what is sent there is a secret."""
    parts = urlsplit(value)
    at_home = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if value and not (parts.hostname and (parts.scheme == "https" or at_home)):
        raise ValueError("allowed: an https address such as 'https://login.microsoftonline.us'")
    return value.rstrip("/")


def _lower(values: list[str]) -> list[str]:
    return [value.strip().lower() for value in values]


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Names = Annotated[list[str], AfterValidator(_lower)]
Addresses = Annotated[list[str], AfterValidator(lambda names: [plain_address(n) for n in names])]


class Section(BaseModel):
    """A table of the TOML file; an unknown key is an error, not a silent typing mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Login(Section):
    """A server we log in to: host, port, how the line is protected, and where the secret is."""

    host: str
    port: int = Field(ge=1, le=65535)
    security: Security
    username: str = ""
    password_env: str = ""
    password_file: Path | None = None
    ca_file: Path | None = Field(
        default=None, description="certificates to trust instead of the system's"
    )

    @model_validator(mode="after")
    def _no_plain_text_over_a_network(self) -> Self:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError(
                f"security = 'none' is allowed only on this machine, not for {self.host!r}; "
                "use 'tls' or 'starttls'"
            )
        return self

    def secret(self) -> str:
        """The password or access token; raises ConfigurationError where there is none."""
        return read_secret(self.password_env, self.password_file, owner=f"{self.host}:{self.port}")


def read_secret(env: str, file: Path | None, *, owner: str) -> str:
    if env:
        value = os.environ.get(env, "")
        if not value:
            raise ConfigurationError(
                f"the environment variable {env} with the secret of {owner} is not set; "
                "set it, or name a file by password_file"
            )
        return value
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(
                f"the file {file} with the secret of {owner} cannot be read: {error.strerror}"
            ) from error
    raise ConfigurationError(
        f"no secret is configured for {owner}; set password_env or password_file"
    )


class Shop(Section):
    name: str = "Sklep"
    address: str = Field(default="", description="legal name and address, closes each reply")
    privacy_url: str = Field(default="", description="where the data protection notice is")
    language: Language = "pl"
    timezone: Annotated[str, AfterValidator(_known_zone)] = "Europe/Warsaw"
    country: Annotated[str, AfterValidator(_known_country)] = Field(
        default="PL", description="whose public holidays count"
    )
    own_domains: Addresses = []
    trusted_forwarders: Addresses = []


class Database(Section):
    url: str = "sqlite:///var/odzew.db"


class Mailbox(Login):
    name: str = Field(min_length=1)
    port: int = Field(default=993, ge=1, le=65535)
    security: Security = "tls"
    oauth: Literal["", "google", "microsoft"] = ""
    oauth_client_id: str = Field(default="", description="empty: the token is never renewed")
    oauth_client_secret_env: str = ""
    oauth_tenant: str = Field(default="", pattern=r"^[A-Za-z0-9.-]*$")
    oauth_token_env: str = Field(
        default="", description="the first refresh token; without oauth_client_id an access token"
    )
    oauth_endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        default="", description="where tokens come from, in Microsoft's national clouds"
    )
    folders: list[str] = Field(default=["INBOX"], min_length=1)
    start: Annotated[Literal["now", "all", "archive"] | date, BeforeValidator(_start)] = "now"
    after_import: Annotated[str, AfterValidator(_after_import)] = "leave"
    poll_seconds: int = Field(default=60, ge=1)
    idle: bool = True
    shop: str = Field(default="", description="another brand: its name")
    language: Language | None = None
    sender: Annotated[str, AfterValidator(_sender)] = ""
    plus_addressing: bool = Field(
        default=False, description="the server delivers name+anything@ to name@ (RFC 5233)"
    )

    @model_validator(mode="after")
    def _has_a_way_in(self) -> Self:
        if self.oauth and not (self.oauth_token_env or self.oauth_client_id):
            raise ValueError(
                "oauth needs oauth_token_env, the variable with a token, or oauth_client_id and a "
                "login by `odzew mailboxes login`"
            )
        return self

    @model_validator(mode="after")
    def _does_not_read_what_it_moves(self) -> Self:
        target = self.after_import.removeprefix("move:").strip()
        if self.after_import.startswith("move:") and target in self.folders:
            raise ValueError(f"after_import moves mail into {target!r}, which is one of folders")
        return self

    def secret(self) -> str:
        if self.oauth:
            return read_secret(self.oauth_token_env, None, owner=f"mailbox {self.name!r}")
        return read_secret(self.password_env, self.password_file, owner=f"mailbox {self.name!r}")


class MailServer(Login):
    """A server that takes our mail."""

    port: int = Field(default=587, ge=1, le=65535)
    security: Security = "starttls"
    sender: Annotated[str, AfterValidator(_sender)] = Field(
        min_length=1, description="RFC 5322 mailbox: name <address>"
    )


class Smtp(MailServer):
    oauth_mailbox: str = Field(default="", description="log in by the token of this mailbox")
    retry_seconds: list[Annotated[int, Field(ge=1)]] = Field(
        default=[60, 900, 3600, 14400, 43200], min_length=1
    )


class Storage(Section):
    path: Path = Path("var")
    max_bytes: int = Field(default=50 * 1024 * 1024, ge=64 * 1024)


class Triage(Section):
    taxonomy: str = ""
    retrain_after: int = Field(default=50, ge=0, description="new labels; 0: only by hand")
    promote: bool = Field(default=False, description="a candidate that passes the gate, by itself")


class Mail(Section):
    trusted_hosts: Names = []
    authserv_ids: Names = []
    trusted_sealers: Names = []


class ContactForm(Section):
    sender: str


class Group(Section):
    address: str


class Relay(Section):
    domain: str


class AlertsSmtp(MailServer):
    """A second server, so that alarms go out when the one for acknowledgements is the trouble."""


class Alerts(Section):
    """Who is told, by another way than the page, that a person is needed."""

    webhook_env: str = Field(default="", description="variable with an address that is a secret")
    smtp: AlertsSmtp | None = None
    to: list[Annotated[str, AfterValidator(_address)]] = []

    @model_validator(mode="after")
    def _mail_has_a_server_and_readers(self) -> Self:
        if bool(self.to) != (self.smtp is not None):
            raise ValueError(
                "mail needs both: the readers in alerts.to and their server in [alerts.smtp]"
            )
        return self


class Acknowledgements(Section):
    enabled: bool = True
    max_age_hours: int = Field(default=168, ge=1)
    per_address_per_day: int = Field(default=3, ge=0)
    per_domain_per_hour: int = Field(default=20, ge=0)
    per_mailbox_per_hour: int = Field(default=200, ge=0)
    breaker_factor: int = Field(default=5, ge=0)
    never: Addresses = []
    templates: Path | None = Field(default=None, description="the shop's own reply texts")


class Web(Section):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    trusted_proxy: str = Field(default="", description="address of the TLS proxy in front")
    hosts: Names = Field(default=[], description="names under which the proxy offers the page")
    metrics_token_env: str = Field(default="", description="variable with what Prometheus shows")

    @model_validator(mode="after")
    def _plain_http_stays_at_home(self) -> Self:
        if not is_loopback(self.host) and not self.trusted_proxy:
            raise ValueError(
                f"host {self.host!r} is reachable by others over plain HTTP; put a TLS proxy in "
                "front and name it by trusted_proxy, or use 127.0.0.1"
            )
        return self


class Settings(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        env_prefix="ODZEW_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    shop: Shop = Shop()
    database: Database = Database()
    mailboxes: list[Mailbox] = []
    smtp: Smtp | None = None
    storage: Storage = Storage()
    triage: Triage = Triage()
    mail: Mail = Mail()
    contact_forms: list[ContactForm] = []
    groups: list[Group] = []
    relays: list[Relay] = []
    alerts: Alerts = Alerts()
    acknowledgements: Acknowledgements = Acknowledgements()
    web: Web = Web()

    @model_validator(mode="after")
    def _mailbox_names_are_unique(self) -> Self:
        names = [mailbox.name for mailbox in self.mailboxes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two mailboxes are named {name!r}; each needs its own name")
        return self

    @model_validator(mode="after")
    def _smtp_borrows_a_token_that_there_is(self) -> Self:
        name = self.smtp.oauth_mailbox if self.smtp is not None else ""
        if name and not any(m.name == name and m.oauth for m in self.mailboxes):
            raise ValueError(
                f"smtp.oauth_mailbox is {name!r}; allowed: the name of a mailbox that has oauth"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    def mailbox(self, name: str) -> Mailbox | None:
        return next((mailbox for mailbox in self.mailboxes if mailbox.name == name), None)

    def with_changes(self, **sections: Any) -> "Settings":
        return self.model_copy(update=sections)


def load_settings(path: Path | None = None) -> Settings:
    """Read and check the configuration.

    path: the TOML file; None means ``ODZEW_CONFIG``, else ``odzew.toml`` in the working directory.
    Raises ConfigurationError with one sentence per wrong key.
    """
    path = path or Path(os.environ.get("ODZEW_CONFIG", "odzew.toml"))
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} does not exist; copy odzew.example.toml and edit it, or try `odzew demo`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    _refuse_password_in_url(path, values.get("database"))
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ConfigurationError("; ".join(_explain(path, error))) from None
    except SettingsError as error:
        raise ConfigurationError(_explain_variable(error)) from None


def _refuse_password_in_url(path: Path, database: object) -> None:
    url = database.get("url") if isinstance(database, dict) else None
    if isinstance(url, str) and "@" in url and urlsplit(url).password:
        raise ConfigurationError(
            f"{path}: database.url: secrets are never in this file; give the URL with its password "
            "in ODZEW_DATABASE__URL, or the password in ~/.pgpass"
        )


def _explain_variable(error: SettingsError) -> str:
    found = re.search(r'field "(\w+)"', str(error))
    prefix = f"ODZEW_{found[1].upper()}" if found else "ODZEW_"
    names = [name for name in sorted(os.environ) if name.upper().startswith(prefix)]
    return (
        f"the environment variable {' or '.join(names)} is not valid JSON; a list is written as "
        """'["sklep.example"]', a table as '{"name": "Sklep"}'"""
    )


def _explain(path: Path, error: ValidationError) -> list[str]:
    sentences = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"]) or "the file"
        if problem["type"] == "extra_forbidden":
            hint = "this key is not known; see odzew.example.toml"
            if "password" in key or "secret" in key or "token" in key:
                hint = "secrets are never in this file; use password_env or password_file"
            sentences.append(f"{path}: {key}: {hint}")
        elif problem["type"] == "missing":
            sentences.append(f"{path}: {key}: this key is missing")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            sentences.append(f"{path}: {key}: {message}{_found(problem['input'])}")
    return sentences


def _found(value: object) -> str:
    # A whole table would show what is right beside what is wrong.
    return "" if isinstance(value, dict) else f" (found {str(value)[:80]!r})"
