"""A small host, written as files: two CPUs with two threads, a disk, a network card and a container bridge."""

from __future__ import annotations

from pathlib import Path

STAT = """\
cpu  1000 10 300 8000 90 5 15 20 40 4
cpu0 500 5 150 4000 45 5 10 10 20 2
cpu1 500 5 150 4000 45 0 5 10 20 2
intr 12345 1 2 3
ctxt 999
btime 1795302774
"""
LATER_STAT = STAT.replace("cpu  1000 10 300 8000 90 5 15 20 40 4", "cpu  1030 12 310 8050 96 5 15 22 50 4")
"""A hundred ticks later, 44 of them busy; the ten of the guest stand in the first column too."""

CPUINFO = """\
processor\t: 0
model name\t: Imaginary CPU @ 2.00GHz
cpu MHz\t\t: 1800.500
physical id\t: 0
cpu cores\t: 2

processor\t: 1
model name\t: Imaginary CPU @ 2.00GHz
cpu MHz\t\t: 2199.500
physical id\t: 0
cpu cores\t: 2
"""
MEMINFO = """\
MemTotal:        1000000 kB
MemFree:          100000 kB
MemAvailable:     750000 kB
Buffers:           50000 kB
Cached:           500000 kB
Active:           400000 kB
Inactive:         300000 kB
SwapTotal:        200000 kB
SwapFree:         150000 kB
Shmem:             20000 kB
Slab:              60000 kB
SReclaimable:      40000 kB
"""
DISKSTATS = """\
   7       0 loop0 5 0 10 1 0 0 0 0 0 2 1
 259       0 nvme0n1 1000 20 3000 40 2000 60 7000 80 0 90 120 0 0 0 0 1 2
 259       1 nvme0n1p1 900 20 2900 39 2000 60 7000 80 0 90 119 0 0 0 0 0 0
 104       0 cciss/c0d0 1 2 3 4 5 6 7 8 0 10 11
"""
NET_DEV = """\
Inter-|   Receive                                         |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo:  100       1    0    0    0     0          0         0   100       1    0    0    0     0       0          0
  eth1:    0       0    0    0    0     0          0         0     0       0    0    0    0     0       0          0
  eth0: 2000      20    3    4    0     0          0         0  5000      50    6    7    0     0       0          0
"""
ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""
CPUS = "sys/devices/system/cpu"
FILES = {
    "proc/stat": STAT,
    "proc/cpuinfo": CPUINFO,
    "proc/meminfo": MEMINFO,
    "proc/vmstat": "nr_free_pages 1\npswpin 3\npswpout 4\n",
    "proc/diskstats": DISKSTATS,
    "proc/1/net/dev": NET_DEV,
    "proc/1/net/route": ROUTE,
    "proc/sys/kernel/hostname": "rack-7\n",
    "proc/sys/kernel/domainname": "(none)\n",
    "proc/sys/kernel/ostype": "Linux\n",
    "proc/sys/kernel/osrelease": "6.12.1\n",
    "proc/sys/kernel/version": "#1 SMP\n",
    "proc/sys/kernel/arch": "x86_64\n",
    f"{CPUS}/cpu0/topology/core_cpus_list": "0-1\n",
    f"{CPUS}/cpu1/topology/core_cpus_list": "0-1\n",
    f"{CPUS}/cpufreq/policy0/scaling_cur_freq": "1700000\n",
    f"{CPUS}/cpufreq/policy0/scaling_min_freq": "800000\n",
    f"{CPUS}/cpufreq/policy0/scaling_max_freq": "2600000\n",
    f"{CPUS}/cpufreq/policy1/scaling_cur_freq": "1700000\n",
    f"{CPUS}/cpufreq/policy1/scaling_min_freq": "800000\n",
    f"{CPUS}/cpufreq/policy1/scaling_max_freq": "2400000\n",
    "sys/block/loop0/size": "10\n",
    "sys/block/nvme0n1/size": "100\n",
    "sys/block/cciss!c0d0/size": "100\n",
    "sys/class/net/lo/flags": "0x9\n",
    "sys/class/net/lo/operstate": "unknown\n",
    "sys/class/net/eth1/flags": "0x1003\n",
    "sys/class/net/eth1/operstate": "down\n",
    "sys/class/net/eth0/flags": "0x1003\n",
    "sys/class/net/eth0/operstate": "up\n",
    "sys/class/net/eth0/mtu": "1500\n",
    "sys/class/net/eth0/speed": "1000\n",
    "sys/class/net/eth0/duplex": "full\n",
    "sys/devices/virtual/dmi/id/product_name": "Imaginary 9000\n",
}


def write_host(folder: Path) -> None:
    """Write the host's ``proc`` and ``sys`` below *folder*."""
    for name, text in FILES.items():
        write(folder / name, text)


def write(file: Path, text: str) -> None:
    """Write a file and the folders that it is in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
