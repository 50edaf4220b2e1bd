"""``demo [--python PATH] [--cut SECONDS]``."""

from __future__ import annotations

import argparse
import time

__all__ = ["demo"]


def demo(args: argparse.Namespace) -> int:
    """Run the demo pod, or cut the network of the one that runs."""
    if args.cut is None:
        from ..demo.run import serve

        return serve(args.python)
    from ..demo.remote import cut

    told = cut(args.cut)
    until = time.strftime("%H:%M:%S", time.localtime(told["until"]))
    print(f"The demo pod's network is away until {until}.")
    return 0
