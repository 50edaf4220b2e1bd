/** Commands of this extension. */
export const CommandIDs = {
  openPanel: 'jupyter-remote-gpu:open-panel',
  connectPod: 'jupyter-remote-gpu:connect-pod',
  disconnectPod: 'jupyter-remote-gpu:disconnect-pod',
  removePod: 'jupyter-remote-gpu:remove-pod',
  showLog: 'jupyter-remote-gpu:show-log',
  startDemo: 'jupyter-remote-gpu:start-demo',
  goToCell: 'jupyter-remote-gpu:go-to-cell',
  interruptExecution: 'jupyter-remote-gpu:interrupt-execution',
  toggleCell: 'jupyter-remote-gpu:toggle-cell'
} as const;

export const PANEL_ID = 'jupyter-remote-gpu';
export const DOMAIN = 'jupyter_remote_gpu';
