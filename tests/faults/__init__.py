"""Faults from outside, against real processes, a real sshd and a TCP proxy of the tests' own.

Cells print stdout, stderr, displays, updates and clear_output (`mixed.py`); what they must
show is what the same program shows in a plain kernel. Where each fault is tested:

- cut 8 s, 60 s, before the reply, answers to a request lost: `test_cuts`
- the request into a half-open link: `integration/test_daemon_pod`, `test_cuts`
- half-open, healed or reset, dead in one direction: `test_half_open`, `test_daemon_pod`
- twenty seeded random cuts in 4,000 messages: `test_random_cuts`
- laptop asleep: `test_sleep`
- kill -9 of the local kernel, of the bridge, of sshd's child: `test_kills`
- kill -9 of the daemon: `integration/test_daemon_pod`, `integration/test_magic`
- kill -9 of kernel and keeper: `integration/test_daemon_faults`, `integration/test_magic_ends`,
  `integration/test_keeper`
- disk full under journal and mirror: `test_disk_full` (as root with disks that are really full)
- 500 MB of short lines without a reader, one print of 50 MB: `test_flood`
- an interrupt during a cut: `integration/test_daemon_pod`
- two readers, one absent or standing still: `test_readers`
- a notebook renamed, its kernel restarted: `integration/test_daemon_pod` and `server/`
- the pod cannot see the laptop's files: `test_apart` (and it is so in all of these, as root)
"""
