"""The worlds of OONI's suite with redirects, and the last ones; see `ooni`."""

from probe.lab.censor.rules import (
    Drop,
    Finish,
    Opening,
    Reset,
    Rule,
    ToAddress,
)
from probe.lab.scenarios.model import Build, Outcome, Reach, Symptom
from probe.lab.scenarios.ooni.parts import (
    Case,
    change,
    is_led_to,
    is_slow,
    is_slow_in_clear,
    is_told,
    make_alias_only,
    meets_asking,
    meets_greeting,
    on_both,
    on_name,
    refuse,
    slow_down,
    slow_name_down,
    spoof,
    spoof_to,
)
from probe.lab.scenarios.parts import (
    FINE,
    asks,
    blocked,
    gone,
    hidden,
    named,
    own_doing,
    partly,
    reaches,
    says,
    seeming,
)
from probe.lab.world.plan import Site
from probe.model.pattern import Pattern
from probe.model.verdict import Status

RESET = Reset(ip_ttl=62, both_ends=False)


INJECTED = blocked(Pattern.DNS_INJECTION_OTHER)
LOOP = seeming(own_doing(Pattern.SRV_REDIRECT_LOOP), Pattern.HTTP)

REDIRECTS: tuple[Build, ...] = (
    *(
        Case(
            number=number,
            name=f"redirectThen{name}",
            censor=censor,
            key="short",
            path=path,
            truth=truth,
            symptoms=symptoms,
        )
        for number, name, path, censor, truth, symptoms in (
            (
                29,
                "ConnectionRefusedForHTTP",
                "plain",
                refuse,
                hidden(Pattern.TCP_RST_SYN),
                meets_asking(Outcome.REFUSED),
            ),
            (
                30,
                "ConnectionRefusedForHTTPS",
                "go",
                refuse,
                hidden(Pattern.TCP_RST_SYN),
                meets_greeting(Outcome.REFUSED),
            ),
            (
                31,
                "ConnectionResetForHTTP",
                "plain",
                on_both(Reset(in_path=True)),
                named(Pattern.HTTP_RESET_HOST),
                meets_asking(Outcome.RESET),
            ),
            (
                32,
                "ConnectionResetForHTTPS",
                "go",
                on_name(RESET),
                named(Pattern.TLS_RESET_SNI),
                meets_greeting(Outcome.RESET),
            ),
            (
                33,
                "NXDOMAIN",
                "go",
                spoof(rcode=3),
                blocked(Pattern.DNS_NXDOMAIN),
                is_told(outcome=Outcome.NXDOMAIN),
            ),
            (34, "EOFForHTTP", "plain", on_both(Finish()), named(Pattern.HTTP_FIN_HOST), meets_asking(Outcome.END)),
            (35, "EOFForHTTPS", "go", on_name(Finish()), named(Pattern.TLS_FIN_SNI), meets_greeting(Outcome.END)),
            (
                36,
                "TimeoutForHTTP",
                "plain",
                on_both(Drop()),
                named(Pattern.HTTP_TIMEOUT_HOST),
                meets_asking(Outcome.SILENCE),
            ),
            (
                37,
                "TimeoutForHTTPS",
                "go",
                on_name(Drop()),
                named(Pattern.TLS_TIMEOUT_SNI),
                meets_greeting(Outcome.SILENCE),
            ),
        )
    ),
    *(
        Case(
            number=number,
            name=name,
            key="short",
            path="redirect/15",
            secure=secure,
            truth=LOOP,
            symptoms=lambda world: (asks(world.sites["short"], path="/redirect/15", says="/redirect/14"),),
        )
        for number, name, secure in (
            (38, "redirectWithMoreThanTenRedirectsAndHTTP", False),
            (39, "redirectWithMoreThanTenRedirectsAndHTTPS", True),
        )
    ),
    Case(number=40, name="successWithHTTP", secure=False, truth=FINE, symptoms=meets_asking(says="Front Page")),
    Case(number=41, name="successWithHTTPS", truth=FINE, symptoms=meets_greeting(Outcome.OK)),
    Case(
        number=42,
        name="tcpBlockingConnectTimeout",
        censor=lambda world: (
            Rule(id="drop", when=ToAddress(prefixes=world.sites["news"].addresses, ports=(443,)), then=Drop()),
        ),
        truth=hidden(Pattern.IP_PORT_DROP),
        symptoms=lambda world: reaches(world.sites["news"], Outcome.SILENCE),
    ),
    Case(
        number=43,
        name="tcpBlockingConnectionRefusedWithInconsistentDNS",
        # Theirs leads to another network than the site's, and so does ours: within one AS answers may differ honestly.
        censor=spoof_to(
            "forum",
            lambda world: (
                Rule(
                    id="refuse",
                    when=Opening(prefixes=world.sites["forum"].addresses, ports=(80,)),
                    then=Reset(in_path=True),
                ),
            ),
        ),
        secure=False,
        truth=INJECTED,
        symptoms=is_led_to(
            "forum",
            lambda world: (Symptom(trial=Reach(address=world.sites["forum"].v4[0], port=80), outcome=Outcome.REFUSED),),
        ),
    ),
    Case(
        number=44,
        name="throttlingWithHTTP",
        key="files",
        path="big",
        secure=False,
        censor=slow_down,
        truth=partly(Pattern.FLOW_THROTTLE),
        symptoms=is_slow_in_clear,
    ),
    Case(
        number=45,
        name="throttlingWithHTTPS",
        key="files",
        path="big",
        censor=slow_name_down,
        truth=partly(Pattern.FLOW_THROTTLE),
        symptoms=is_slow,
    ),
    Case(
        number=46,
        name="tlsBlockingConnectionResetWithConsistentDNS",
        censor=on_name(RESET),
        truth=named(Pattern.TLS_RESET_SNI),
        symptoms=meets_greeting(Outcome.RESET),
    ),
    Case(
        number=47,
        name="tlsBlockingConnectionResetWithInconsistentDNS",
        censor=spoof_to("box", on_name(RESET)),
        truth=blocked(Pattern.DNS_INJECTION_OTHER, Pattern.TLS_RESET_SNI),
        symptoms=is_led_to("box", meets_greeting(Outcome.RESET)),
    ),
    Case(
        number=48,
        name="websiteDownNXDOMAIN",
        target="http://www.nowhere-at-all.example/",
        truth=gone(Pattern.SRV_NO_SUCH_NAME, local=Status.DOWN),
        symptoms=lambda world: (
            says(Site(names=("www.nowhere-at-all.example",), addresses=()), outcome=Outcome.NXDOMAIN),
        ),
    ),
    Case(
        number=49,
        name="websiteDownNoAddrs",
        world=make_alias_only,
        secure=False,
        truth=gone(Pattern.SRV_NO_SUCH_NAME, local=Status.DOWN),
        symptoms=is_told(outcome=Outcome.NO_ADDRESS),
    ),
    Case(
        number=50,
        name="websiteDownTCPConnect",
        world=change("news", https_ports=()),
        truth=gone(Pattern.SRV_DOWN, seen=(Pattern.TCP_RST_SYN,)),
        symptoms=meets_greeting(Outcome.REFUSED),
    ),
)
