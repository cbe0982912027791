/**
 * A worker that claims the tickets it is sent and answers with a MAC under each key: what the other thread can check.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { createNativeProvider } from '#transform/providers/native.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';

export interface ClaimData {
  readonly provider: 'native' | 'noble';
  readonly grants: SharedArrayBuffer | undefined;
}

const { provider: kind, grants } = workerData as ClaimData;
const provider =
  kind === 'native' ? createNativeProvider() : createNobleProvider(grants === undefined ? {} : { grants });

parentPort!.on('message', (message: { readonly tickets: readonly bigint[]; readonly text: string } | 'leave') => {
  if (message === 'leave') {
    /* A ticket that nobody claims before this thread ends. */
    parentPort!.postMessage(provider.grant(provider.importKey(new Uint8Array(32))));
    parentPort!.close();
    return;
  }
  parentPort!.postMessage(
    message.tickets.map((ticket) => {
      try {
        return Buffer.from(provider.mac(provider.claim(ticket), Buffer.from(message.text))).toString('hex');
      } catch (error) {
        return (error as Error).name;
      }
    }),
  );
});
