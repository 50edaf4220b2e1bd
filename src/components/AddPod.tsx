import * as React from 'react';

import { tellError } from '../dialogs';
import { AddedError } from '../request';
import { errorSentence } from '../sentences';
import type { IActions } from './context';
import { useTrans } from './context';
import { Button } from './parts';

/** An address that is nobody's (RFC 5737). */
const EXAMPLE = 'ssh root@203.0.113.7 -p 40022';

/** One field: the ssh command as a provider shows it, or a host of ~/.ssh/config. */
export function AddPod(props: {
  actions: IActions;
  /** Where it is not all there is: how to go back, with the focus or without it. */
  onDone?: (focus: boolean) => void;
}): JSX.Element {
  const { actions, onDone } = props;
  const trans = useTrans();
  const id = React.useId();
  const [ssh, setSSH] = React.useState('');
  const [hosts, setHosts] = React.useState<readonly string[]>([]);
  const [busy, setBusy] = React.useState(false);
  const [error, setError] = React.useState('');
  const form = React.useRef<HTMLFormElement>(null);
  const field = React.useRef<HTMLInputElement>(null);
  const opened = React.useRef(onDone !== undefined);
  const here = React.useRef(true);

  React.useEffect(() => {
    here.current = true;
    // Who pressed "+" goes on here.
    if (opened.current) {
      field.current?.focus();
    }
    actions.hosts().then(
      found => here.current && setHosts(found),
      // They are an offer: the field does without.
      () => undefined
    );
    return () => {
      here.current = false;
    };
  }, [actions]);

  /** Whether the keyboard is still in the panel: who went on elsewhere is left there. */
  const isFocused = () => {
    const { activeElement, body } = document;
    const panel = form.current?.closest('.jp-RemoteGPU-panel');
    return activeElement === body || !!panel?.contains(activeElement);
  };
  const attempt = async (work: () => Promise<void>) => {
    setBusy(true);
    setError('');
    try {
      await work();
      if (here.current) {
        onDone?.(isFocused());
      }
    } catch (reason) {
      if (!here.current) {
        // The pod was seen meanwhile, and the form has made room for it.
        tellError(reason, trans);
      } else if (reason instanceof AddedError) {
        tellError(reason, trans);
        setSSH('');
        onDone?.(isFocused());
      } else {
        setError(errorSentence(reason, trans));
        if (isFocused()) {
          field.current?.focus();
        }
      }
    } finally {
      if (here.current) {
        setBusy(false);
      }
    }
  };
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    if (!ssh.trim()) {
      setError(trans.__('Paste the ssh command first.'));
      field.current?.focus();
    } else if (!busy) {
      void attempt(() => actions.addPod(ssh.trim()));
    }
  };

  return (
    <form ref={form} className="jp-RemoteGPU-add" onSubmit={submit} noValidate>
      <label htmlFor={`${id}-ssh`}>{trans.__('ssh command')}</label>
      <input
        id={`${id}-ssh`}
        ref={field}
        list={`${id}-hosts`}
        value={ssh}
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="off"
        placeholder={EXAMPLE}
        aria-describedby={error ? `${id}-error ${id}-hint` : `${id}-hint`}
        aria-invalid={error ? true : undefined}
        onChange={event => setSSH(event.target.value)}
      />
      <datalist id={`${id}-hosts`}>
        {hosts.map(host => (
          <option key={host} value={host} />
        ))}
      </datalist>
      {error && (
        <p id={`${id}-error`} role="alert" className="jp-RemoteGPU-error">
          {error}
        </p>
      )}
      <p id={`${id}-hint`} className="jp-RemoteGPU-dim">
        {trans.__(
          'Paste the ssh command that your provider shows, or pick a host of ~/.ssh/config'
        )}
      </p>
      <div className="jp-RemoteGPU-buttons">
        <Button main type="submit" aria-disabled={busy}>
          {trans.__('Connect')}
        </Button>
        <Button
          aria-disabled={busy}
          onClick={() => !busy && void attempt(() => actions.startDemo())}
        >
          {trans.__('Try with a pod on this machine')}
        </Button>
        {onDone && (
          <Button onClick={() => onDone(true)}>{trans.__('Cancel')}</Button>
        )}
      </div>
    </form>
  );
}
