/** An inclusion proof: hashes in hexadecimal. */
export interface Proof {
  readonly index: number;
  readonly tree_size: number;
  /** What the log holds for the record: SHA-256 of salt and record. */
  readonly entry: string;
  /** What the log's checkpoint signs; none where it cannot be read. */
  readonly root_hash: string | null;
  readonly path: readonly string[];
}

/** Whether an entry is at its index in the tree with that root (RFC 9162, section 2.1.3.2). */
export async function verify(proof: Proof): Promise<boolean> {
  if (proof.index >= proof.tree_size) return false;
  let [fn, sn] = [BigInt(proof.index), BigInt(proof.tree_size) - 1n];
  let hash = await sha256([0, ...bytes(proof.entry)]);
  for (const sibling of proof.path) {
    if (sn === 0n) return false;
    if (fn % 2n === 1n || fn === sn) {
      hash = await node(bytes(sibling), hash);
      while (fn % 2n === 0n && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      hash = await node(hash, bytes(sibling));
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  return sn === 0n && hex(hash) === proof.root_hash;
}

function node(left: Uint8Array, right: Uint8Array): Promise<Uint8Array> {
  return sha256([1, ...left, ...right]);
}

async function sha256(message: readonly number[]): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(message)));
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], pair => Number.parseInt(pair, 16));
}

function hex(hash: Uint8Array): string {
  return [...hash].map(byte => byte.toString(16).padStart(2, '0')).join('');
}
