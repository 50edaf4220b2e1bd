import { LabIcon } from '@jupyterlab/ui-components';

/** A chip, with a dot where a pod's state shows. */
function chip(dot: string): string {
  const pins = [6, 10]
    .map(
      at =>
        `<path d="M${at} 1v2M${at} 13v2M1 ${at}h2M13 ${at}h2" stroke-width="1.2"/>`
    )
    .join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">
  <g class="jp-icon3 jp-icon-selectable" fill="#616161" fill-rule="evenodd"><path d="M4.5 3h7A1.5 1.5 0 0 1 13 4.5v7a1.5 1.5 0 0 1-1.5 1.5h-7A1.5 1.5 0 0 1 3 11.5v-7A1.5 1.5 0 0 1 4.5 3zm0 1.2a.3.3 0 0 0-.3.3v7a.3.3 0 0 0 .3.3h7a.3.3 0 0 0 .3-.3v-7a.3.3 0 0 0-.3-.3zM6 6h4v4H6z"/></g>
  <g class="jp-icon3-stroke jp-RemoteGPU-pins" stroke="#616161" fill="none">${pins}</g>${dot}
</svg>`;
}

export const gpuIcon = new LabIcon({
  name: 'jupyter-remote-gpu:gpu',
  svgstr: chip('')
});

function dotted(look: string): LabIcon {
  return new LabIcon({
    name: `jupyter-remote-gpu:gpu-${look}`,
    svgstr: chip(
      `<circle class="jp-RemoteGPU-iconDot jp-mod-${look}" cx="12.5" cy="3.5" r="3"/>`
    )
  });
}

const DOTTED = {
  ok: dotted('ok'),
  warn: dotted('warn'),
  error: dotted('error')
};

/** The chip with the dot of a pod's state. */
export function stateIcon(state: string | undefined): LabIcon {
  switch (state) {
    case 'connected':
      return DOTTED.ok;
    case 'connecting':
    case 'preparing':
    case 'host-key':
    case 'reconnecting':
      return DOTTED.warn;
    case 'failed':
      return DOTTED.error;
    default:
      return gpuIcon;
  }
}
