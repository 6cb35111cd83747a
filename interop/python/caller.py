"""Calls with a token and a fresh proof for every attempt, section 8 of the page, over grpcio."""

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc

import answers
from prover import Prover

sys.path.append(str(Path(__file__).resolve().parents[2] / "proto"))
# Compiled from proto/ when they are imported; nothing generated lies about.
tokens_pb2, tokens_grpc = grpc.protos_and_services("countersign/token/v1/token.proto")
orders_pb2, orders_grpc = grpc.protos_and_services("countersign/example/v1/orders.proto")

TOKEN_SERVICE = "/countersign.token.v1.TokenService/"
ORDER_SERVICE = "/countersign.example.v1.OrderService/"

# Longer than any call here takes on a busy machine.
PATIENCE_SECS = 120


@dataclass
class Outcome:
    """What a call came to: its messages and, if it failed, the code and the refusal."""

    messages: list
    attempts: int
    code: str = "OK"
    refusal: answers.Refusal | None = None
    # The metadata of the last attempt.
    sent: tuple = ()

    def failure(self) -> str:
        """The code, the reason, and what accompanies it, on one line."""
        words = [self.code]
        if self.refusal:
            words += [self.refusal.reason, self.refusal.oauth_error or "", *self.refusal.scopes]
        return " ".join(word for word in words if word)


class Origin:
    """One server: the nonces of one are nothing to another."""

    def __init__(self, url: str, prover: Prover, token: Callable[[], str] | None = None):
        self.url = url
        # What retries must do so above what signs.
        options = [("grpc.enable_retries", 0), ("grpc.service_config_disable_resolution", 1)]
        self.channel = grpc.insecure_channel(url.removeprefix("http://"), options)
        self._prover = prover
        self._token = token
        # The newest of this server.
        self.nonce: str | None = None

    def call(self, path: str, start: Callable, requests: list, extra: tuple = ()) -> Outcome:
        """Makes the call, and once more for each reason for which the server asks for that.

        `start` is a stub's method of any kind; it is handed the messages and the metadata.
        """
        kept = Kept(iter(requests))
        token = self._token and self._token()
        again: list[str] = []
        attempt = 1
        while True:
            nonce = self.nonce
            proof = self._prover.prove(self.url, path, nonce, token)
            sent = (("dpop", proof), *extra)
            if token:
                sent = (("authorization", f"DPoP {token}"), *sent)
            outcome, answer = started(start, kept.attempt(), sent, attempt)
            self.nonce = answers.newest(nonce, answer)
            then = answers.then(answer, 1, kept.complete, nonce, self.nonce)
            # For the same reason it is the second time.
            then = answers.then(answer, 1 + again.count(then), kept.complete, nonce, self.nonce)
            again.append(then)
            match then:
                case "finish":
                    return outcome
                case "send_again_with_another_token":
                    if not self._token:
                        return outcome
                    token = self._token()
            attempt += 1


class Kept:
    """The messages of a call; what was sent of them, up to 64 KiB, can be sent again."""

    def __init__(self, source: Iterator):
        self._source, self._sent, self._bytes = source, [], 0
        self._attempt, self._lock = 0, threading.Lock()
        self.complete = True

    def attempt(self) -> Iterator:
        """The messages from the first on. An earlier attempt reads no more."""
        with self._lock:
            self._attempt += 1
        return self._messages(self._attempt)

    def _messages(self, attempt: int) -> Iterator:
        at = 0
        while True:
            with self._lock:
                if attempt != self._attempt:
                    return
                if at == len(self._sent):
                    message = next(self._source, None)
                    if message is None:
                        return
                    self._sent.append(message)
                    self._bytes += message.ByteSize()
                    self.complete = self._bytes <= answers.KEPT_BYTES_MAX
                message = self._sent[at]
            at += 1
            yield message


def started(
    start: Callable, requests: Iterator, metadata: tuple, attempt: int
) -> tuple[Outcome, answers.Answer]:
    """One attempt, read to its end."""
    if isinstance(start, (grpc.UnaryUnaryMultiCallable, grpc.UnaryStreamMultiCallable)):
        requests = next(requests)
    begin = start.future if hasattr(start, "future") else start
    call = begin(requests, metadata=metadata, timeout=PATIENCE_SECS)
    messages = []
    try:
        # A call with one answer is a future, one with a stream of them is an iterator.
        for message in [call.result()] if hasattr(start, "future") else call:
            messages.append(message)
    except grpc.RpcError:
        pass
    headers = values(call.initial_metadata())
    trailers = values(call.trailing_metadata())
    details = b"".join(trailers.get("grpc-status-details-bin", []))
    refusal = answers.refusal(details)
    code = call.code()
    answer = answers.Answer(
        code=code.value[0],
        # Headers without metadata are not told from none at all; then what counts is that guards
        # strip www-authenticate from whatever is not their own.
        headers_first=bool(messages or headers),
        www_authenticate=trailers.get("www-authenticate", []),
        dpop_nonce=(headers or trailers).get("dpop-nonce", []),
        domain=answers.DOMAIN if refusal else None,
        reason=refusal and refusal.reason,
    )
    return Outcome(messages, attempt, code.name, refusal, metadata), answer


def values(metadata) -> dict:
    """Metadata by key, all values of each."""
    found: dict = {}
    for key, value in metadata or ():
        found.setdefault(key, []).append(value)
    return found


class Tokens:
    """Asks the token service for tokens in the client's own name."""

    def __init__(self, origin: Origin, client_id: str, client_secret: str):
        self._origin = origin
        self._stub = tokens_grpc.TokenServiceStub(origin.channel)
        self._client = {"client_id": client_id, "client_secret": client_secret}

    def ask(self, resource: str, scopes: list[str] = ()) -> Outcome:
        """One call of IssueToken."""
        request = tokens_pb2.IssueTokenRequest(
            client=self._client, client_credentials={}, scopes=scopes, resources=[resource]
        )
        return self._origin.call(TOKEN_SERVICE + "IssueToken", self._stub.IssueToken, [request])

    def issue(self, resource: str, scopes: list[str] = ()) -> str:
        """An access token."""
        outcome = self.ask(resource, scopes)
        if outcome.code != "OK":
            raise SystemExit(f"no token: {outcome.failure()}")
        if outcome.messages[0].token_type.lower() != "dpop":
            raise SystemExit(f"a token of type {outcome.messages[0].token_type}")
        return outcome.messages[0].access_token
