import type { TranslationBundle } from '@jupyterlab/translation';
import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';

import { Clock } from '../clock';
import type { IKernelList, IKernelRow, IPlacedExecution, IPod } from '../types';

/** What the panel's buttons do. One that fails rejects with a sentence, or has told it itself. */
export interface IActions {
  addPod(ssh: string): Promise<void>;
  startDemo(): Promise<void>;
  hosts(): Promise<string[]>;
  connect(pod: string, acceptHostKey?: string): void;
  disconnect(pod: string): void;
  remove(pod: IPod): void;
  showLog(pod: string): void;
  /** The public half of a key that the pod refused goes to the clipboard. */
  copyKey(pod: string): void;
  /** Start the pod on this machine once more. */
  startDemoAgain(): void;
  tryServer(): void;
  reloadPage(): void;
  show(execution: IPlacedExecution): void;
  interrupt(execution: IPlacedExecution): void;
  kernels(): Promise<IKernelList>;
  restart(kernel: IKernelRow): Promise<boolean>;
  stop(kernel: IKernelRow): Promise<boolean>;
  insertOffer(execution: string): Promise<void>;
  dismissOffer(execution: string): void;
}

export interface ISurroundings {
  readonly trans: TranslationBundle;
  readonly clock: Clock;
}

/** What every component may need, and none is about. */
export const Surroundings = React.createContext<ISurroundings>({
  trans: nullTranslator.load('jupyter_remote_gpu'),
  clock: new Clock(() => Date.now() / 1000)
});

export function useTrans(): TranslationBundle {
  return React.useContext(Surroundings).trans;
}

/** Now in seconds, anew each second; only who shows a figure that counts should ask. */
export function useNow(): number {
  const { clock } = React.useContext(Surroundings);
  const [now, setNow] = React.useState(clock.now);
  React.useEffect(() => {
    setNow(clock.now());
    return clock.subscribe(() => setNow(clock.now()));
  }, [clock]);
  return now;
}
