// Calls a token service and a guarded service, and prints what each call came to.

import { status } from "@grpc/grpc-js";
import { ORDER_SERVICE, Origin, Tokens, contracts, failure, type Outcome } from "./caller.js";
import { Prover } from "./prover.js";

/** The command line's. */
export interface Settings {
  proto: string;
  "token-service": string;
  client: string;
  orders: string;
  resource: string;
  /** A service whose tokens live for seconds, if there is one. */
  "brief-orders"?: string;
  "brief-resource"?: string;
}

/** Makes all calls, one line each. */
export async function runCalls(settings: Settings, secret: string): Promise<void> {
  const methods = contracts(settings.proto);
  const prover = await Prover.create();
  const tokenService = new Origin(settings["token-service"], methods, prover);
  const tokens = new Tokens(tokenService, settings.client, secret);
  const issued = await tokens.ask(settings.resource);
  if (issued.code !== status.OK) throw new Error(`no token: ${failure(issued)}`);
  say("a token", issued, issued.messages[0].token_type);
  const token: string = issued.messages[0].access_token;

  const opened: Origin[] = [tokenService];
  const origin = (url: string, source: () => Promise<string>): Origin => {
    opened.push(new Origin(url, methods, prover, source));
    return opened.at(-1)!;
  };
  const orders = origin(settings.orders, async () => token);
  const tea = { item: "tea" };
  const create = `${ORDER_SERVICE}CreateOrder`;
  const created = await orders.call(create, [tea]);
  say("unary", created, created.messages[0]?.order.item);
  say("unary, with the nonce kept", await orders.call(create, [tea]));
  const watched = await orders.call(`${ORDER_SERVICE}WatchOrders`, [{}]);
  say("server stream", watched, `${watched.messages.length} messages`);
  const imported = await orders.call(`${ORDER_SERVICE}ImportOrders`, [tea, { item: "milk" }, { item: "rice" }]);
  say("client stream", imported, imported.messages[0] && `${imported.messages[0].count} messages`);
  // Another origin object knows no nonce yet: the conversation itself is challenged.
  const fresh = origin(settings.orders, async () => token);
  const exchanged = await fresh.call(`${ORDER_SERVICE}ExchangeOrders`, [tea, { item: "milk" }]);
  const items = exchanged.messages.map((message) => message.order.item).join(" ");
  say("conversation, without a nonce kept", exchanged, items);

  const once = await orders.call(create, [tea]);
  const authorization = `DPoP ${token}`;
  for (const [what, sent] of [
    ["a proof used before", once.sent],
    ["a proof for another method", { authorization, dpop: await orders.prove(`${ORDER_SERVICE}GetOrder`) }],
    ["no credentials", {}],
    ["a bound token as Bearer", { authorization: `Bearer ${token}`, dpop: await orders.prove(create) }],
  ] as const) {
    say(what, (await orders.attempt(create, [tea], sent))[0]);
  }

  const readOnly = await tokens.issue(settings.resource, ["orders.read"]);
  say("a scope too few", await origin(settings.orders, async () => readOnly).call(create, [tea]));
  say("a method without a rule", await orders.call(`${ORDER_SERVICE}PurgeOrders`, [{}]));
  const passedOn = await orders.call(`${ORDER_SERVICE}GetOrder`, [{ order_id: "pass-on" }]);
  say("a challenge that a handler passes on", passedOn);

  const { "brief-orders": briefUrl, "brief-resource": briefResource } = settings;
  if (briefUrl && briefResource) {
    const given: string[] = [];
    const brief = origin(briefUrl, async () => {
      // The second call has the first one's token; another only once the guard asks for it.
      given.push(given.length === 1 ? given[0]! : await tokens.issue(briefResource));
      return given.at(-1)!;
    });
    const ended = await brief.call(`${ORDER_SERVICE}WatchOrders`, [{}]);
    say("a stream that outlives its token", ended, `${ended.messages.length} messages`);
    const shown = await brief.call(`${ORDER_SERVICE}GetOrder`, [{ order_id: "tea" }]);
    say("a token that has expired, replaced", shown, shown.messages[0]?.order.item);
    // Another origin object knows no nonce yet: two things are asked for, one after the other.
    const expired = given.slice(0, 1);
    const fresh = origin(briefUrl, async () => expired.pop() ?? (await tokens.issue(briefResource)));
    const placed = await fresh.call(`${ORDER_SERVICE}GetOrder`, [{ order_id: "tea" }]);
    say("a token that has expired, without a nonce kept", placed, placed.messages[0]?.order.item);
  }

  const liar = new Tokens(tokenService, settings.client, "not the secret");
  say("a wrong client secret", await liar.ask(settings.resource));
  for (const each of opened) each.close();
}

/** One line: what was tried, what came of it, and in how many attempts. */
function say(what: string, outcome: Outcome, came?: string): void {
  const failed = outcome.code === status.OK ? undefined : failure(outcome);
  const words = [came, failed, `attempts ${outcome.attempts}`].filter((word) => word);
  console.log(`${what}: ${words.join(", ")}`);
}
