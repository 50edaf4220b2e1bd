import type { ICodeCellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';

import { contentsPath, usesMagics, withoutDrive } from '../cells';
import { placed } from '../executions';
import { isOf, serverRoot } from '../notebooks';
import { RequestError } from '../request';
import type { IRemoteGPU } from '../tokens';
import type { IExecution } from '../types';
import { isFinal } from './follower';
import { byRequest } from './rule';
import { showsOf } from './writer';

/** What a notebook ran, as far as it is known here. */
export class Listing {
  constructor(
    private readonly panel: NotebookPanel,
    private readonly model: IRemoteGPU,
    /** The paths of all notebooks that are open in this page. */
    private readonly open: () => readonly string[]
  ) {}

  /** The notebook is closed: what was asked for is given up. */
  giveUp(): void {
    this._giving.abort();
  }

  /** Whether the server was asked and told. */
  isKnown = false;

  /** All, oldest first. */
  get executions(): IExecution[] {
    const all = new Map(this._listed.map(each => [each.id, each]));
    // Either may be the newer one; what has ended does not begin again.
    for (const each of this._inSnapshot()) {
      if (all.get(each.id)?.state !== 'ended') {
        all.set(each.id, each);
      }
    }
    return byRequest([...all.values()]);
  }

  /** When others were asked for, which cells show: by their ids. */
  get times(): ReadonlyMap<string, number> {
    return this._times;
  }

  /** The newest that the cell ran. */
  newest(cell: ICodeCellModel): IExecution | undefined {
    return this.executions
      .filter(each => each.cell === cell.id && !each.silent)
      .at(-1);
  }

  /** That one, if it is listed. */
  find(id: string): IExecution | undefined {
    return this.executions.find(each => each.id === id);
  }

  /** Differs when one of them began, ended or changed. */
  get version(): string {
    const told = this._inSnapshot().map(({ id, state }) => `${id} ${state}`);
    return [this.panel.context.path, ...told].join('\n');
  }

  /** Whether there may be anything; if not the server is not asked. */
  isWorthIt(cells: readonly ICodeCellModel[]): boolean {
    return (
      this._inSnapshot().length > 0 ||
      cells.some(
        cell =>
          showsOf(cell) !== null || usesMagics(cell.sharedModel.getSource())
      )
    );
  }

  /** Ask the server. @throws RequestError */
  async fetch(cells: readonly ICodeCellModel[]): Promise<void> {
    const { panel, model } = this;
    const paths = new Set([withoutDrive(panel.context.path)]);
    // After a rename what runs still names the old path.
    for (const { notebook } of this._inSnapshot()) {
      const path = notebook && contentsPath(notebook, serverRoot());
      if (path) {
        paths.add(path);
      }
    }
    const told = await Promise.all(
      [...paths].map(path => model.executions(path, this._giving.signal))
    );
    const all = told.flat();
    const known = new Set(all.map(({ id }) => id));
    for (const cell of cells) {
      const shows = showsOf(cell);
      if (!shows || known.has(shows.execution)) {
        continue;
      }
      // The notebook was renamed or copied; what it showed before may be newer than what is listed.
      const isOpen = shows.state === 'partial';
      const isOld = !!shows.asked || this._times.has(shows.execution);
      if (
        isOpen ||
        (!isOld && told.flat().some(each => each.cell === cell.id))
      ) {
        known.add(shows.execution);
        const execution = await this._named(shows.execution);
        if (execution?.asked) {
          this._times.set(execution.id, execution.asked);
        }
        if (isOpen && execution?.cell === cell.id) {
          all.push(execution);
        }
      }
    }
    this._listed = all;
    this.isKnown = true;
  }

  private async _named(id: string): Promise<IExecution | null> {
    if (this._unknown.has(id)) {
      return null;
    }
    try {
      return await this.model.execution(id, this._giving.signal);
    } catch (error) {
      if (error instanceof RequestError && isFinal(error)) {
        this._unknown.add(id);
        return null;
      }
      throw error;
    }
  }

  private _inSnapshot(): IExecution[] {
    const { snapshot } = this.model;
    const open = this.open();
    return snapshot
      ? [...placed(snapshot)].filter(each => isOf(each, this.panel, open))
      : [];
  }

  private readonly _giving = new AbortController();
  private _listed: IExecution[] = [];
  private readonly _times = new Map<string, number>();
  private readonly _unknown = new Set<string>();
}
