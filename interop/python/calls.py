"""Calls a token service and a guarded service, and prints what each call came to."""

from functools import cache

from caller import ORDER_SERVICE, Origin, Outcome, Tokens, orders_grpc, orders_pb2, started
from prover import Prover


def run(settings, secret: str) -> None:
    """All calls, one line each. `settings` are the command line's."""
    prover = Prover()
    token_service = Origin(settings.token_service, prover)
    tokens = Tokens(token_service, settings.client, secret)
    issued = tokens.ask(settings.resource)
    say("a token", issued, issued.messages and issued.messages[0].token_type)
    if issued.code != "OK":
        raise SystemExit("no token")
    token = issued.messages[0].access_token

    orders = Origin(settings.orders, prover, lambda: token)
    stub = orders_grpc.OrderServiceStub(orders.channel)
    create, tea = ORDER_SERVICE + "CreateOrder", orders_pb2.CreateOrderRequest(item="tea")
    created = orders.call(create, stub.CreateOrder, [tea])
    say("unary", created, created.messages and created.messages[0].order.item)
    created = orders.call(create, stub.CreateOrder, [tea])
    say("unary, with the nonce kept", created, "")
    watched = orders.call(
        ORDER_SERVICE + "WatchOrders", stub.WatchOrders, [orders_pb2.WatchOrdersRequest()]
    )
    say("server stream", watched, f"{len(watched.messages)} messages")
    imports = [orders_pb2.ImportOrdersRequest(item=item) for item in ("tea", "milk", "rice")]
    imported = orders.call(ORDER_SERVICE + "ImportOrders", stub.ImportOrders, imports)
    say("client stream", imported, imported.messages and f"{imported.messages[0].count} messages")
    # Another origin object knows no nonce yet: the conversation itself is challenged.
    fresh = Origin(settings.orders, prover, lambda: token)
    exchanges = [orders_pb2.ExchangeOrdersRequest(item=item) for item in ("tea", "milk")]
    exchange = orders_grpc.OrderServiceStub(fresh.channel).ExchangeOrders
    exchanged = fresh.call(ORDER_SERVICE + "ExchangeOrders", exchange, exchanges)
    items = " ".join(message.order.item for message in exchanged.messages)
    say("conversation, without a nonce kept", exchanged, items)

    def bare(method, request, metadata) -> Outcome:
        return started(method, iter([request]), metadata, 1)[0]

    def proven(path: str) -> tuple:
        proof = prover.prove(settings.orders, path, orders.nonce, token)
        return (("authorization", f"DPoP {token}"), ("dpop", proof))

    say("a proof used before", bare(stub.CreateOrder, tea, created.sent))
    elsewhere = proven(ORDER_SERVICE + "GetOrder")
    say("a proof for another method", bare(stub.CreateOrder, tea, elsewhere))
    say("no credentials", bare(stub.CreateOrder, tea, ()))
    as_bearer = (("authorization", f"Bearer {token}"), proven(create)[1])
    say("a bound token as Bearer", bare(stub.CreateOrder, tea, as_bearer))

    narrow = Origin(
        settings.orders, prover, cache(lambda: tokens.issue(settings.resource, ["orders.read"]))
    )
    narrow_stub = orders_grpc.OrderServiceStub(narrow.channel)
    say("a scope too few", narrow.call(create, narrow_stub.CreateOrder, [tea]))
    purge = orders.call(
        ORDER_SERVICE + "PurgeOrders", stub.PurgeOrders, [orders_pb2.PurgeOrdersRequest()]
    )
    say("a method without a rule", purge)
    passed_on = orders.call(
        ORDER_SERVICE + "GetOrder", stub.GetOrder, [orders_pb2.GetOrderRequest(order_id="pass-on")]
    )
    say("a challenge that a handler passes on", passed_on)

    if settings.brief_orders:
        outlived(settings, tokens, prover)

    liar = Tokens(token_service, settings.client, "not the secret")
    say("a wrong client secret", liar.ask(settings.resource))


def outlived(settings, tokens: Tokens, prover: Prover) -> None:
    """A stream that ends with its token, and a call with what is left of that."""
    given: list[str] = []

    def token() -> str:
        # The second call has the first one's token; another only once the guard asks for it.
        given.append(given[0] if len(given) == 1 else tokens.issue(settings.brief_resource))
        return given[-1]

    brief = Origin(settings.brief_orders, prover, token)
    stub = orders_grpc.OrderServiceStub(brief.channel)
    watch, get = orders_pb2.WatchOrdersRequest(), orders_pb2.GetOrderRequest(order_id="tea")
    ended = brief.call(ORDER_SERVICE + "WatchOrders", stub.WatchOrders, [watch])
    say("a stream that outlives its token", ended, f"{len(ended.messages)} messages")
    shown = brief.call(ORDER_SERVICE + "GetOrder", stub.GetOrder, [get])
    say("a token that has expired, replaced", shown, shown.messages and shown.messages[0].order.item)
    # Another origin object knows no nonce yet: two things are asked for, one after the other.
    expired = given[:1]
    fresh = Origin(
        settings.brief_orders,
        prover,
        lambda: expired.pop() if expired else tokens.issue(settings.brief_resource),
    )
    stub = orders_grpc.OrderServiceStub(fresh.channel)
    shown = fresh.call(ORDER_SERVICE + "GetOrder", stub.GetOrder, [get])
    what = "a token that has expired, without a nonce kept"
    say(what, shown, shown.messages and shown.messages[0].order.item)


def say(what: str, outcome: Outcome, came: str | None = None) -> None:
    """One line: what was tried, what came of it, and in how many attempts."""
    words = [came] if came else []
    if outcome.code != "OK":
        words.append(outcome.failure())
    print(f"{what}: {', '.join([*words, f'attempts {outcome.attempts}'])}", flush=True)
