import type { IOutput } from '@jupyterlab/nbformat';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { PartialJSONObject, PartialJSONValue } from '@lumino/coreutils';
import { JSONExt } from '@lumino/coreutils';

import { isObject } from './writer';

const VIEW = 'application/vnd.jupyter.widget-view+json';
const STATE = 'application/vnd.jupyter.widget-state+json';
const WAIT_MS = 2000;
const LOOK_MS = 100;
/** Widgets that only show: they want nothing of a kernel, and miss none. */
const SHOWS = new Set(
  [
    'FloatProgress',
    'IntProgress',
    'HTML',
    'HTMLMath',
    'Label',
    'Image',
    'Valid',
    'Output',
    'Box',
    'HBox',
    'VBox',
    'GridBox'
  ].map(name => `${name}Model`)
);

interface IWidgetModel {
  constructor: {
    _deserialize_state?: (
      state: PartialJSONObject,
      manager: IWidgetManager
    ) => Promise<PartialJSONObject>;
  };
  set_state(state: PartialJSONObject): void;
  /** Without it the view has the sign of a broken link before it. */
  comm_live?: boolean;
  /** What shows it in the page. */
  views?: Record<string, unknown>;
}

/** What is used of a page's widget manager, which has no public token. */
interface IWidgetManager {
  has_model(id: string): boolean;
  get_model(id: string): Promise<IWidgetModel>;
  new_model(
    options: Record<string, unknown>,
    state: PartialJSONObject
  ): Promise<IWidgetModel>;
  restoredStatus?: boolean;
}

/** The models of widgets in a page, as the executions' logs have them. */
export class Widgets {
  constructor(private readonly rendermime: IRenderMimeRegistry) {}

  /**
   * Bring the models of `widgets` (a notebook's `metadata.widgets`) to their states.
   *
   * @returns Those that were not there before: what shows them has to be drawn anew. Null: there
   * is no manager yet, and perhaps never; the saved notebook has the states.
   */
  async restore(
    widgets: PartialJSONObject
  ): Promise<ReadonlySet<string> | null> {
    const made = new Set<string>();
    const body = widgets[STATE];
    const states = isObject(body) && isObject(body.state) ? body.state : {};
    if (Object.keys(states).length === 0) {
      return made;
    }
    const manager = await this._find();
    if (!manager) {
      return null;
    }
    const waits: Promise<unknown>[] = [];
    const known: [string, PartialJSONObject][] = [];
    // They refer to each other: all are begun before one is awaited.
    for (const [id, entry] of Object.entries(states)) {
      if (!isObject(entry)) {
        continue;
      }
      if (manager.has_model(id)) {
        known.push([id, entry]);
      } else {
        made.add(id);
        waits.push(this._make(manager, id, entry));
      }
    }
    for (const [id, entry] of known) {
      waits.push(
        this._bring(manager, id, entry).then(isOther => {
          if (isOther) {
            made.add(id);
          }
        })
      );
    }
    // One whose code cannot be had shows so itself, and keeps no other from its output.
    await Promise.allSettled(waits);
    return made;
  }

  private async _make(
    manager: IWidgetManager,
    id: string,
    entry: PartialJSONObject
  ): Promise<void> {
    this._told.set(id, entry);
    const { model_name, model_module, model_module_version } = entry;
    const options = { model_name, model_module, model_module_version };
    const model = await manager.new_model(
      { ...options, model_id: id },
      unpacked(entry)
    );
    this._models.set(id, model);
    settle(model, entry);
  }

  /**
   * Bring one that is there to its state. Whether it is another model than the last time: a local
   * kernel that was restarted opens it anew, and what is drawn stays with the old one.
   */
  private async _bring(
    manager: IWidgetManager,
    id: string,
    entry: PartialJSONObject
  ): Promise<boolean> {
    const model = await manager.get_model(id);
    const last = this._models.get(id);
    this._models.set(id, model);
    // It may have been opened anew before it was looked at for the first time: nothing shows it.
    const isOther = last
      ? last !== model
      : Object.keys(model.views ?? { any: null }).length === 0;
    if (isOther || !JSONExt.deepEqual(this._told.get(id) ?? null, entry)) {
      this._told.set(id, entry);
      await update(model, entry, manager);
    }
    return isOther;
  }

  /** The manager, if it is there by now: it comes with the kernel. */
  private async _find(): Promise<IWidgetManager | null> {
    const { rendermime } = this;
    if (this._manager || !rendermime.mimeTypes.includes(VIEW)) {
      return this._manager;
    }
    const renderer = rendermime.createRenderer(VIEW) as unknown as {
      _manager?: { promise?: Promise<unknown> };
      dispose(): void;
    };
    const manager = await within(LOOK_MS, renderer._manager?.promise);
    renderer.dispose();
    if (!isManager(manager)) {
      return null;
    }
    // What the kernel knows comes first: it is alive. A busy one does not tell.
    for (
      let waited = 0;
      manager.restoredStatus === false && waited < WAIT_MS;
      waited += LOOK_MS
    ) {
      await within(LOOK_MS);
    }
    return (this._manager = manager);
  }

  private _manager: IWidgetManager | null = null;
  private readonly _told = new Map<string, PartialJSONValue>();
  private readonly _models = new Map<string, IWidgetModel>();
}

/** The widget that an output shows; null: it shows none. */
export function widgetOf(output: IOutput): string | null {
  const view = (output.data as PartialJSONObject | undefined)?.[VIEW];
  return isObject(view) && typeof view.model_id === 'string'
    ? view.model_id
    : null;
}

/** No sign of a broken link at a bar that goes on. A slider that moves nothing keeps it. */
function settle(model: IWidgetModel, { model_name }: PartialJSONObject): void {
  if (!model.comm_live && SHOWS.has(model_name as string)) {
    model.comm_live = true;
  }
}

async function update(
  model: IWidgetModel,
  entry: PartialJSONObject,
  manager: IWidgetManager
): Promise<void> {
  const state = unpacked(entry);
  const { _deserialize_state } = model.constructor;
  model.set_state(
    _deserialize_state
      ? await _deserialize_state.call(model.constructor, state, manager)
      : state
  );
  settle(model, entry);
}

/** A state with its buffers in their places. */
export function unpacked(entry: PartialJSONObject): PartialJSONObject {
  const state = isObject(entry.state)
    ? JSONExt.deepCopy(entry.state as never)
    : {};
  const buffers = Array.isArray(entry.buffers) ? entry.buffers : [];
  for (const buffer of buffers) {
    if (!isObject(buffer) || !Array.isArray(buffer.path)) {
      continue;
    }
    const path = buffer.path as (string | number)[];
    const last = path.at(-1);
    let at: unknown = state;
    for (const key of path.slice(0, -1)) {
      at = (at as Record<string | number, unknown> | undefined)?.[key];
    }
    if (last !== undefined && typeof at === 'object' && at !== null) {
      (at as Record<string | number, unknown>)[last] = bytes(buffer);
    }
  }
  return state;
}

function bytes({ encoding, data }: PartialJSONObject): DataView {
  const text = typeof data === 'string' ? data : '';
  const values =
    encoding === 'hex'
      ? (text.match(/../g) ?? []).map(pair => parseInt(pair, 16))
      : Array.from(atob(text), each => each.charCodeAt(0));
  return new DataView(Uint8Array.from(values).buffer);
}

function isManager(value: unknown): value is IWidgetManager {
  const manager = value as Partial<IWidgetManager> | null | undefined;
  return (
    typeof manager?.has_model === 'function' &&
    typeof manager.get_model === 'function' &&
    typeof manager.new_model === 'function'
  );
}

/** What a promise comes to within so many milliseconds; else null. */
async function within<T>(
  ms: number,
  promise: Promise<T> = new Promise<T>(() => undefined)
): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>(resolve => {
    timer = setTimeout(() => resolve(null), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
