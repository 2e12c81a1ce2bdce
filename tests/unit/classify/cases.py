"""Builds cases in few words: what a check saw, step by step, and what its experiments saw."""

import itertools
from typing import Any

from probe.classify.case import Case
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.failure import Failure, FailureCode, IcmpError, Stage
from probe.model.observation import (
    DNSAnswer,
    DNSLookup,
    DNSReply,
    Ending,
    HTTPExchange,
    ICMPEcho,
    Observation,
    Resolver,
    Role,
    TCPConnect,
    TLSHandshake,
    TLSStage,
    Transport,
)
from probe.model.target import CheckName, Target
from probe.model.vantage import Baseline, Vantage, VantageState
from tests.unit.classify.outcomes import CODES, PARTIAL, RCODES

NAME = "www.site.example"
NEUTRAL = "neutral.example"
OWN = "45.90.1.1"
OTHER = "45.90.1.2"
REAL = "45.90.7.7"

ISP = Resolver(transport=Transport.UDP, endpoint=Endpoint(address="5.62.0.53", port=53), system=True)
HOME = Resolver(transport=Transport.UDP, endpoint=Endpoint(address="192.168.1.1", port=53), system=True)
QUAD9 = Resolver(transport=Transport.UDP, endpoint=Endpoint(address="9.9.9.9", port=53))
DOH = Resolver(transport=Transport.DOH, endpoint=Endpoint(address="8.8.8.8", port=443), server_name="dns.google")
DOT = Resolver(transport=Transport.DOT, endpoint=Endpoint(address="9.9.9.9", port=853), server_name="dns.quad9.net")

FIT = Baseline(
    id="fit", quick=True, started_at=0.0, started_boot_s=0.0, runtime_s=0.1, state=VantageState.ONLINE, families=(4,)
)


class Story:
    """Collects what happened; `case` returns it. Each step takes 50 ms."""

    def __init__(self, **target: Any) -> None:
        given: dict[str, Any] = {
            "id": NAME,
            "check": CheckName.WEB,
            "address": f"https://{NAME}",
            "host": NAME,
            "port": 443,
        }
        self.target = Target(**(given | target))
        self.observations: list[Observation] = []
        self.experiments: list[Experiment] = []
        self._numbers = itertools.count(1)
        self.now_s = 0.0

    def _base(self, experiment: Experiment | None, hop: int) -> dict[str, Any]:
        started_s = self.now_s
        self.now_s += 0.05
        return {
            "transaction": next(self._numbers),
            "t0_s": started_s,
            "t_s": self.now_s,
            "hop": hop,
            "experiment": experiment.id if experiment else "",
            "role": Role.EXPERIMENT if experiment else Role.TARGET,
        }

    def wait(self, seconds: float) -> "Story":
        """Let time pass."""
        self.now_s += seconds
        return self

    def experiment(self, design: Design, step: Step, kind: NameKind, number: int, **fields: Any) -> Experiment:
        """Plan a follow-up."""
        name = {NameKind.TEST: self.target.host, NameKind.NEUTRAL: NEUTRAL, NameKind.NONE: ""}[kind]
        where = fields.get("endpoint") or fields.get("resolver") or "system"
        planned = Experiment(
            id=f"{design.value}.{kind.value}.{where}.{fields.get('hop', 0)}.{number}",
            design=design,
            step=step,
            name=name,
            name_kind=kind,
            cell=number,
            **fields,
        )
        self.experiments.append(planned)
        return planned

    def dns(
        self,
        *answers: str | tuple[str, ...] | FailureCode,
        resolver: Resolver = ISP,
        query_type: str = "A",
        experiment: Experiment | None = None,
        hop: int = 0,
        asns: tuple[int, ...] = (),
        name: str = "",
        ip_ttl: int | None = None,
        raw: bytes = b"",
    ) -> "Story":
        """Look the name up: each answer is one reply (a tuple = several addresses), or one failure."""
        base = self._base(experiment, hop)
        failure, replies = None, []
        for answer in answers:
            if isinstance(answer, FailureCode):
                failure = Failure(stage=Stage.RESOLVE, code=answer)
                if answer in RCODES:
                    replies.append(DNSReply(t_s=base["t_s"], rcode=RCODES[answer], ip_ttl=ip_ttl, raw=raw))
                continue
            addresses = (answer,) if isinstance(answer, str) else answer
            plain = query_type in ("A", "AAAA")
            records = tuple(
                DNSAnswer(type=("AAAA" if ":" in a else "A") if plain else query_type, value=a, ttl_s=60)
                for a in addresses
            )
            replies.append(DNSReply(t_s=base["t_s"], answers=records, ip_ttl=ip_ttl))
        name = name or (experiment.name if experiment else self.target.host)
        self.observations.append(
            DNSLookup(
                **base,
                resolver=resolver,
                name=name,
                query_type=query_type,
                replies=tuple(replies),
                failure=failure,
                asns=asns,
            )
        )
        return self

    def tcp(
        self,
        outcome: str = "ok",
        address: str = OWN,
        port: int | None = None,
        experiment: Experiment | None = None,
        hop: int = 0,
        icmp: IcmpError | None = None,
        hot: bool = False,
        resent: int = 0,
        asn: int = 0,
    ) -> "Story":
        """Connect: ok, refused, silent, unreachable or no_descriptors; idle_reset, idle_fin or idle_ok when held."""
        base = self._base(experiment, hop)
        codes = {
            "refused": FailureCode.CONNECTION_REFUSED,
            "silent": FailureCode.TIMEOUT,
            "reset": FailureCode.CONNECTION_RESET,
            "unreachable": FailureCode.HOST_UNREACHABLE,
            "no_descriptors": FailureCode.OUT_OF_DESCRIPTORS,
        }
        failure = Failure(stage=Stage.CONNECT, code=codes[outcome], icmp=icmp) if outcome in codes else None
        held = {"idle_reset": Ending.RESET, "idle_fin": Ending.FIN, "idle_ok": None}
        self.observations.append(
            TCPConnect(
                **base,
                endpoint=Endpoint(address=address, port=port or self.target.port),
                failure=failure,
                held_s=0.3 if outcome in held else 0.0,
                held_ending=held.get(outcome),
                hot=hot,
                syn_retransmits=resent,
                asn=asn,
            )
        )
        return self

    def tls(
        self,
        outcome: str = "ok",
        address: str = OWN,
        port: int | None = None,
        experiment: Experiment | None = None,
        hop: int = 0,
        verify_code: int = 20,
        alert: int = 40,
        chain: tuple[bytes, ...] = (b"",),
        **more: Any,
    ) -> "Story":
        """Shake hands: ok, reset, fin, silent, alert, garbage or untrusted."""
        base = self._base(experiment, hop)
        fields: dict[str, Any] = {"stage": TLSStage.DONE}
        if outcome in CODES:
            code, ending = CODES[outcome]
            fields = {"stage": TLSStage.NOTHING, "ending": ending, "failure": Failure(stage=Stage.TLS, code=code)}
        elif outcome == "alert":
            fields = {
                "stage": TLSStage.ALERT,
                "ending": Ending.ALERT,
                "alert": (2, alert),
                "bytes_received": 7,
                "failure": Failure(stage=Stage.TLS, code=FailureCode.TLS_ALERT),
            }
        elif outcome == "garbage":
            fields = {
                "stage": TLSStage.GARBAGE,
                "ending": Ending.ERROR,
                "bytes_received": 64,
                "failure": Failure(stage=Stage.TLS, code=FailureCode.SSL_FAILED_HANDSHAKE),
            }
        elif outcome == "untrusted":
            code = {62: FailureCode.SSL_INVALID_HOSTNAME, 10: FailureCode.SSL_INVALID_CERTIFICATE}.get(
                verify_code, FailureCode.SSL_UNKNOWN_AUTHORITY
            )
            fields = {
                "stage": TLSStage.SERVER_HELLO,
                "ending": Ending.ERROR,
                "verify_code": verify_code,
                "bytes_received": 3000,
                "failure": Failure(stage=Stage.TLS, code=code),
            }
        else:
            neutral = experiment is not None and experiment.name_kind is not NameKind.TEST
            fields |= {"verified": not neutral, "bytes_received": 3000}
        fields |= more
        name = experiment.name if experiment else self.target.host
        self.observations.append(
            TLSHandshake(
                **base,
                **fields,
                endpoint=Endpoint(address=address, port=port or self.target.port),
                server_name=name,
                chain=chain if outcome in ("ok", "untrusted") else (),
            )
        )
        return self

    def http(
        self,
        outcome: str = "ok",
        status: int = 200,
        address: str = OWN,
        port: int | None = None,
        experiment: Experiment | None = None,
        hop: int = 0,
        body: bytes = b"<p>hello</p>",
        title: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        secure: bool | None = None,
        failure: FailureCode | None = None,
        **more: Any,
    ) -> "Story":
        """Ask for the page: ok with a status, or reset, fin, silent or garbage."""
        base = self._base(experiment, hop)
        fields: dict[str, Any] = {
            "status": status,
            "body": body,
            "body_bytes": len(body),
            "title": title,
            "headers": headers,
            "bytes_received": 200 + len(body),
        } | more
        if outcome in PARTIAL:
            code, ending = PARTIAL[outcome]
            fields |= {"ending": ending, "failure": Failure(stage=Stage.HTTP, code=code)}
        if outcome in CODES:
            code, ending = CODES[outcome]
            fields = {"ending": ending, "failure": Failure(stage=Stage.HTTP, code=code)} | more
        elif outcome == "garbage":
            fields = {
                "ending": Ending.ERROR,
                "failure": Failure(stage=Stage.HTTP, code=FailureCode.HTTP_REQUEST_FAILED),
                "bytes_received": 40,
            }
        if failure is not None:
            fields["failure"] = Failure(stage=Stage.HTTP, code=failure)
        is_secure = self.target.secure if secure is None else secure
        scheme = "https" if is_secure else "http"
        self.observations.append(
            HTTPExchange(
                **base,
                **fields,
                endpoint=Endpoint(address=address, port=port or self.target.port),
                method="GET",
                url=f"{scheme}://{self.target.host}/",
                secure=is_secure,
            )
        )
        return self

    def echo(self, outcome: str = "ok", address: str = OWN, experiment: Experiment | None = None) -> "Story":
        """Ping: ok, silent, unreachable or denied."""
        codes = {"silent": FailureCode.TIMEOUT, "denied": FailureCode.PERMISSION_DENIED}
        code = codes.get(outcome, FailureCode.HOST_UNREACHABLE)
        failure = None if outcome == "ok" else Failure(stage=Stage.ECHO, code=code)
        self.observations.append(ICMPEcho(**self._base(experiment, 0), address=address, failure=failure))
        return self

    def pair(self, number: int, test: str, control: str, address: str = OWN, design: Design = Design.SNI) -> "Story":
        """Add one control, then one more test, at an address: the T C T C of a design."""
        endpoint = Endpoint(address=address, port=self.target.port)
        step = Step.HANDSHAKE if design is Design.SNI else Step.FETCH
        send = self.tls if design is Design.SNI else self.http
        neutral = self.experiment(design, step, NameKind.NEUTRAL, number, endpoint=endpoint, secure=self.target.secure)
        self.tcp(address=address, experiment=neutral)
        send(control, address=address, experiment=neutral)
        if test:
            again = self.experiment(design, step, NameKind.TEST, number, endpoint=endpoint, secure=self.target.secure)
            self.tcp(address=address, experiment=again)
            send(test, address=address, experiment=again)
        return self

    def ask(self, answer: Any, resolver: Resolver, number: int = 1, query_type: str = "A") -> "Story":
        """Ask another resolver for the name."""
        planned = self.experiment(
            Design.RESOLVERS, Step.LOOKUP, NameKind.TEST, number, resolver=resolver, place=Place.UNRELATED
        )
        answers = answer if isinstance(answer, list) else [answer]
        return self.dns(*answers, resolver=resolver, experiment=planned, query_type=query_type)

    def neutrals(self, answer: Any = "45.90.3.3", times: int = 3, resolver: Resolver = ISP) -> "Story":
        """Ask our own resolver for a neutral name."""
        for number in range(1, times + 1):
            planned = self.experiment(Design.NEUTRAL_LOOKUP, Step.LOOKUP, NameKind.NEUTRAL, number, resolver=resolver)
            self.dns(answer, resolver=resolver, experiment=planned)
        return self

    def again(self, answer: Any, times: int = 1, resolver: Resolver = ISP, query_type: str = "A") -> "Story":
        """Ask our own resolver for the name again."""
        for number in range(1, times + 1):
            planned = self.experiment(Design.REPEAT, Step.LOOKUP, NameKind.TEST, number, resolver=resolver)
            self.dns(answer, resolver=resolver, experiment=planned, query_type=query_type)
        return self

    def validate(self, address: str, outcome: str = "ok", place: Place = Place.ELSEWHERE) -> "Story":
        """Ask an address for a certificate of the name."""
        endpoint = Endpoint(address=address, port=443)
        planned = self.experiment(Design.ADDRESSES, Step.HANDSHAKE, NameKind.TEST, 1, endpoint=endpoint, place=place)
        self.tcp(address=address, port=443, experiment=planned)
        return self.tls(outcome, address=address, port=443, experiment=planned, verify_code=62)

    def once_more(self, step: Step, outcome: str, address: str = OWN, **more: Any) -> "Story":
        """Repeat the failed step on a fresh port."""
        endpoint = Endpoint(address=address, port=self.target.port)
        planned = self.experiment(Design.REPEAT, step, NameKind.TEST, 1, endpoint=endpoint, secure=self.target.secure)
        if step is Step.ECHO:
            return self.echo(outcome, address=address, experiment=planned)
        if step is Step.CONNECT:
            return self.tcp(outcome, address=address, experiment=planned, **more)
        self.tcp(address=address, experiment=planned)
        if step is Step.HANDSHAKE:
            return self.tls(outcome, address=address, experiment=planned, **more)
        if self.target.secure:
            self.tls(address=address, experiment=planned)
        return self.http(outcome, address=address, experiment=planned)

    def idle(self, outcome: str, address: str = OWN) -> "Story":
        """Connect and send nothing."""
        endpoint = Endpoint(address=address, port=self.target.port)
        planned = self.experiment(Design.HOLD, Step.HOLD, NameKind.NONE, 1, endpoint=endpoint)
        return self.tcp(outcome, address=address, experiment=planned)

    def encrypted(
        self,
        number: int = 1,
        status: int = 200,
        title: str = "",
        body: bytes = b"x",
        outcome: str = "ok",
        **more: Any,
    ) -> "Story":
        """Fetch the page over https with the site's own certificate."""
        endpoint = Endpoint(address=OWN, port=443)
        planned = self.experiment(
            Design.ENCRYPTED_ROUTE, Step.FETCH, NameKind.TEST, number, endpoint=endpoint, place=Place.UNRELATED
        )
        self.tcp(port=443, experiment=planned).tls(port=443, experiment=planned)
        return self.http(
            outcome, status=status, port=443, experiment=planned, title=title, body=body, secure=True, **more
        )

    def case(self, **fields: Any) -> Case:
        """Return the case, from a fit vantage unless said otherwise."""
        given: dict[str, Any] = {
            "target": self.target,
            "vantage": Vantage(),
            "baseline": FIT,
            "observations": tuple(self.observations),
            "experiments": tuple(self.experiments),
            "resolvers": (DOH, DOT, QUAD9),
            "neutral_names": (NEUTRAL,),
        }
        return Case(**(given | fields))
