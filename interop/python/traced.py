"""One order, placed under a span that this process exports: the trace goes on behind the guard."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from caller import ORDER_SERVICE, Origin, Tokens, orders_grpc, orders_pb2
from prover import Prover


def run(settings, secret: str) -> None:
    """Places the order; `settings` are the command line's."""
    provider = TracerProvider(resource=Resource.create({"service.name": "python"}))
    exporter = OTLPSpanExporter(endpoint=settings.otlp, insecure=True)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

    prover = Prover()
    tokens = Tokens(Origin(settings.token_service, prover), settings.client, secret)
    token = tokens.issue(settings.resource)
    orders = Origin(settings.orders, prover, lambda: token)
    stub = orders_grpc.OrderServiceStub(orders.channel)
    with trace.get_tracer("interop").start_as_current_span("place an order", kind=SpanKind.CLIENT):
        # W3C trace context: traceparent, and tracestate where there is one.
        context: dict[str, str] = {}
        inject(context)
        placed = orders.call(
            ORDER_SERVICE + "CreateOrder",
            stub.CreateOrder,
            [orders_pb2.CreateOrderRequest(item="tea")],
            tuple(context.items()),
        )
    provider.shutdown()
    if placed.code != "OK":
        raise SystemExit(placed.failure())
    print(f"placed: {placed.messages[0].order.item}")
