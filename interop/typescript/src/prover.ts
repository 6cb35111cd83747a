// Making proofs, section 2 of the page. The package dpop makes and signs them.

import * as dpop from "dpop";
import { targetOf } from "./target.js";

/** A key of its own, and proofs with it. */
export class Prover {
  private constructor(private readonly keys: dpop.KeyPair) {}

  static async create(): Promise<Prover> {
    return new Prover(await dpop.generateKeyPair("ES256"));
  }

  /** A fresh proof for one attempt of a call; fails for a path that is not plain. */
  async prove(origin: string, path: string, nonce?: string, accessToken?: string): Promise<string> {
    return dpop.generateProof(this.keys, targetOf(origin, path), "POST", nonce, accessToken);
  }
}
