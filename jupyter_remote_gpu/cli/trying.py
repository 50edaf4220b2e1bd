"""``demo [--python PATH] [--json] [--cut SECONDS]``."""

from __future__ import annotations

import argparse
import json
import time

from ..errors import RemoteGPUError, error_to_json

__all__ = ["demo"]


def demo(args: argparse.Namespace) -> int:
    """Run the demo pod, or cut the network of the one that runs."""
    if args.cut is None:
        from ..demo.run import serve

        try:
            return serve(args.python, json_lines=args.json)
        except RemoteGPUError as e:
            if args.json:
                print(json.dumps({"error": error_to_json(e)}), flush=True)
            raise
    from ..demo.remote import cut

    told = cut(args.cut)
    until = time.strftime("%H:%M:%S", time.localtime(told["until"]))
    print(f"The demo pod's network is away until {until}.")
    return 0
