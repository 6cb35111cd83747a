// Calls with a token and a fresh proof for every attempt, section 8 of the page, over grpc-js.

import * as grpc from "@grpc/grpc-js";
import * as loader from "@grpc/proto-loader";
import { DOMAIN, KEPT_BYTES_MAX, newest, refusal, then, type Answer, type Refusal } from "./answers.js";
import type { Prover } from "./prover.js";

export const ISSUE_TOKEN = "/countersign.token.v1.TokenService/IssueToken";
export const ORDER_SERVICE = "/countersign.example.v1.OrderService/";

/** Longer than any call here takes on a busy machine. */
const PATIENCE_MILLIS = 120_000;

/** The methods by their paths. */
export type Contracts = Map<string, grpc.MethodDefinition<any, any>>;

/** Reads the contracts; nothing generated lies about. */
export function contracts(folder: string): Contracts {
  const files = ["countersign/token/v1/token.proto", "countersign/example/v1/orders.proto"];
  const definition = loader.loadSync(files, { includeDirs: [folder], keepCase: true, defaults: true });
  const methods: Contracts = new Map();
  for (const service of Object.values(definition)) {
    // Messages and enums have a format; services are tables of methods.
    if ("format" in service) continue;
    for (const method of Object.values(service)) methods.set(method.path, method);
  }
  return methods;
}

/** Metadata as they are sent. */
export type Sent = Record<string, string>;

/** What a call came to: its messages and, if it failed, the code and the refusal. */
export interface Outcome {
  messages: any[];
  attempts: number;
  code: grpc.status;
  refusal: Refusal | null;
  /** The metadata of the last attempt. */
  sent: Sent;
}

/** The code, the reason, and what accompanies it, on one line. */
export function failure(outcome: Outcome): string {
  const { refusal } = outcome;
  const words = [grpc.status[outcome.code], refusal?.reason, refusal?.oauth_error, ...(refusal?.scopes ?? [])];
  return words.filter((word) => word).join(" ");
}

/** One server: the nonces of one are nothing to another. */
export class Origin {
  private readonly client: grpc.Client;
  private held: string | null = null;

  constructor(
    readonly url: string,
    private readonly contracts: Contracts,
    private readonly prover: Prover,
    private readonly token?: () => Promise<string>,
  ) {
    this.client = new grpc.Client(url.replace("http://", ""), grpc.credentials.createInsecure(), {
      // What retries must do so above what signs.
      "grpc.enable_retries": 0,
      "grpc.service_config_disable_resolution": 1,
    });
  }

  /** Makes the call, and once more for each reason for which the server asks for that. */
  async call(path: string, requests: object[]): Promise<Outcome> {
    let token = await this.token?.();
    const again = new Set<string>();
    for (let attempt = 1; ; attempt++) {
      const nonce = this.held;
      const dpop = await this.prover.prove(this.url, path, nonce ?? undefined, token);
      const sent: Sent = token === undefined ? { dpop } : { authorization: `DPoP ${token}`, dpop };
      const [outcome, answer, sentBytes] = await this.attempt(path, requests, sent, attempt);
      this.held = newest(nonce, answer);
      const kept = sentBytes <= KEPT_BYTES_MAX;
      const what = then(answer, 1, kept, nonce, this.held);
      // For the same reason it is the second time.
      const next = then(answer, again.has(what) ? 2 : 1, kept, nonce, this.held);
      again.add(next);
      switch (next) {
        case "finish":
          return outcome;
        case "send_again_with_another_token":
          if (this.token === undefined) return outcome;
          token = await this.token();
      }
    }
  }

  /** A proof for a call that is made by hand. */
  async prove(path: string): Promise<string> {
    return this.prover.prove(this.url, path, this.held ?? undefined, await this.token?.());
  }

  /** Sends everything and reads to the end; also, how many bytes it sent. */
  attempt(path: string, requests: object[], sent: Sent, attempts = 1): Promise<[Outcome, Answer, number]> {
    const method = this.contracts.get(path)!;
    const metadata = new grpc.Metadata();
    for (const [key, value] of Object.entries(sent)) metadata.set(key, value);
    // A call of any kind is a stream; a unary one has one message each way.
    const stream = this.client.makeBidiStreamRequest(
      path, method.requestSerialize, method.responseDeserialize, metadata,
      { deadline: Date.now() + PATIENCE_MILLIS },
    );
    const messages: any[] = [];
    let headers: grpc.Metadata | undefined;
    let sentBytes = 0;
    return new Promise((resolve) => {
      // Comes with every end, and the status tells more.
      stream.on("error", () => {});
      stream.on("metadata", (metadata) => (headers = metadata));
      stream.on("data", (message) => messages.push(message));
      stream.on("status", ({ code, metadata: trailers }) => {
        const [details] = trailers.get("grpc-status-details-bin");
        const read = Buffer.isBuffer(details) ? refusal(details) : null;
        const answer = {
          code,
          headers_first: headers !== undefined,
          www_authenticate: trailers.get("www-authenticate").map(String),
          dpop_nonce: (headers ?? trailers).get("dpop-nonce").map(String),
          domain: read && DOMAIN,
          reason: read && read.reason,
        };
        resolve([{ messages, attempts, code, refusal: read, sent }, answer, sentBytes]);
      });
      for (const request of requests) {
        sentBytes += method.requestSerialize(request).length;
        stream.write(request);
      }
      stream.end();
    });
  }

  close(): void {
    this.client.close();
  }
}

/** Asks the token service for tokens in the client's own name. */
export class Tokens {
  constructor(
    private readonly origin: Origin,
    private readonly clientId: string,
    private readonly secret: string,
  ) {}

  /** One call of IssueToken. */
  ask(resource: string, scopes: string[] = []): Promise<Outcome> {
    const client = { client_id: this.clientId, client_secret: this.secret };
    return this.origin.call(ISSUE_TOKEN, [{ client, client_credentials: {}, resources: [resource], scopes }]);
  }

  /** An access token. */
  async issue(resource: string, scopes: string[] = []): Promise<string> {
    const outcome = await this.ask(resource, scopes);
    const [issued] = outcome.messages;
    if (outcome.code !== grpc.status.OK) throw new Error(`no token: ${failure(outcome)}`);
    if (issued.token_type.toLowerCase() !== "dpop") throw new Error(`a token of type ${issued.token_type}`);
    return issued.access_token;
  }
}
