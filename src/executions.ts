import type { IExecution, IPlacedExecution, ISnapshot } from './types';

/** The executions of a snapshot with where they run; silent ones are nobody's cells. */
export function* placed(snapshot: ISnapshot): Iterable<IPlacedExecution> {
  for (const pod of snapshot.pods) {
    for (const kernel of pod.kernels) {
      for (const execution of kernel.executions) {
        if (!execution.silent) {
          yield {
            ...execution,
            pod: pod.name,
            kernel: kernel.id,
            linked: pod.state === 'connected'
          };
        }
      }
    }
  }
}

/** What is queued or runs, oldest first. */
export function activeOf(snapshot: ISnapshot): IPlacedExecution[] {
  return [...placed(snapshot)]
    .filter(execution => execution.state !== 'ended')
    .sort((a, b) => (a.asked ?? 0) - (b.asked ?? 0));
}

/** The one that somebody waits for most, of what is active; null: nothing is. */
export function foremostOf(
  active: readonly IPlacedExecution[]
): IPlacedExecution | null {
  const runs = active.filter(({ state }) => state === 'running');
  return runs.find(({ linked }) => linked) ?? runs[0] ?? active[0] ?? null;
}

/** Those of `before` that the snapshot says have ended. */
export function endedSince(
  before: readonly IPlacedExecution[],
  snapshot: ISnapshot
): IPlacedExecution[] {
  if (before.length === 0) {
    return [];
  }
  const ids = new Set(before.map(execution => execution.id));
  return [...placed(snapshot)].filter(
    execution => execution.state === 'ended' && ids.has(execution.id)
  );
}

/** The first line that says something. */
export function firstLine(code: string): string {
  const lines = code.split('\n').map(line => line.trim());
  const told = lines.find(line => line && !line.startsWith('#'));
  return (told ?? lines.find(Boolean) ?? '').slice(0, 200);
}

/** Whether it ran for so many seconds at least. */
export function ranFor(execution: IExecution, seconds: number): boolean {
  const { started, ended } = execution;
  return started !== null && ended !== null && ended - started >= seconds;
}
