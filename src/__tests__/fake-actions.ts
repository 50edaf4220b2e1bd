import type { IActions } from '../components/context';

/** Buttons whose presses are counted. */
export function fakeActions(): jest.Mocked<IActions> {
  return {
    addPod: jest.fn().mockResolvedValue(undefined),
    startDemo: jest.fn().mockResolvedValue(undefined),
    hosts: jest.fn().mockResolvedValue(['gpu1', '<b>x</b>']),
    connect: jest.fn(),
    disconnect: jest.fn(),
    remove: jest.fn(),
    showLog: jest.fn(),
    copyKey: jest.fn(),
    startDemoAgain: jest.fn(),
    tryServer: jest.fn(),
    reloadPage: jest.fn(),
    show: jest.fn(),
    interrupt: jest.fn(),
    kernels: jest.fn().mockResolvedValue({ kernels: [], errors: [] }),
    restart: jest.fn().mockResolvedValue(true),
    stop: jest.fn().mockResolvedValue(true),
    insertOffer: jest.fn().mockResolvedValue(undefined),
    dismissOffer: jest.fn()
  };
}
