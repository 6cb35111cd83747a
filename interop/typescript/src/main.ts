// A Countersign client for reading: see ../README.md.

import { parseArgs } from "node:util";
import { runCalls, type Settings } from "./calls.js";
import { runVectors } from "./vectors.js";

const [command, ...words] = process.argv.slice(2);
switch (command) {
  case "vectors":
    process.exitCode = (await runVectors(words[0] ?? "../../docs/grpc-dpop-vectors.json")) ? 0 : 1;
    break;
  case "calls": {
    const names = ["token-service", "client", "orders", "resource"];
    const others = ["proto", "brief-orders", "brief-resource"];
    const options = Object.fromEntries([...names, ...others].map((name) => [name, { type: "string" as const }]));
    const { values } = parseArgs({ args: words, options });
    const missing = names.filter((name) => !values[name]);
    if (missing.length > 0) throw new Error(`missing: --${missing.join(", --")}`);
    // The secret is no argument: arguments are seen by everybody on the machine.
    await runCalls({ proto: "../../proto", ...values } as unknown as Settings, process.env["CLIENT_SECRET"] ?? "");
    break;
  }
  default:
    throw new Error("which command: vectors or calls?");
}
